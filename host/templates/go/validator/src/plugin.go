// Package src is the validator @name@: numbers that are not there, or no numbers. Put your own rule in its place.
package src

import (
	"fmt"
	"math"

	. "plugin/telemill"
)

// Config is what a user can say.
type Config struct {
	AtMost float64 `json:"at_most"`
}

func init() {
	DefineValidator(Validator[Config]{
		About: About{
			Name:    "@name@",
			Version: "0.1.0",
			Summary: "Numbers are there, and are finite",
			Properties: map[string]any{
				"at_most": map[string]any{"type": "number", "minimum": 0, "maximum": 1, "default": 0.05,
					"description": "The share of missing numbers that is fine"},
			},
		},
		Open: open,
	})
}

type numbers struct {
	Config
	selections      []Selection
	checked, failed []uint64
}

// The tables are those of the dataset: say which columns you read, and in which order you want the rows.
func open(config Config, tables []Table, window Window) Judge {
	judge := &numbers{Config: config}
	for _, table := range tables {
		selection := Selection{Table: table.Name}
		for _, field := range table.Fields {
			if field.DataType == Float64 {
				selection.Columns = append(selection.Columns, field.Name)
			}
		}
		if len(selection.Columns) > 0 {
			judge.selections = append(judge.selections, selection)
		}
	}
	judge.checked = make([]uint64, len(judge.selections))
	judge.failed = make([]uint64, len(judge.selections))
	return judge
}

func (n *numbers) Selections() []Selection { return n.selections }

// Rows come in batches; keep counts rather than rows.
func (n *numbers) Observe(selection int, batch Batch) {
	for column := range n.selections[selection].Columns {
		for row := range batch.Rows() {
			number := batch.Number(column, row)
			if !batch.Has(column, row) || math.IsNaN(number) || math.IsInf(number, 0) {
				n.failed[selection]++
			}
		}
		n.checked[selection] += uint64(batch.Rows())
	}
}

func (n *numbers) Finish() ([]Finding, []Metric) {
	var findings []Finding
	for index, selection := range n.selections {
		checked, failed := n.checked[index], n.failed[index]
		severity := Info
		if float64(failed) > float64(checked)*n.AtMost {
			severity = High
		}
		findings = append(findings, Finding{
			Rule: "numbers-are-there", Severity: severity, Table: selection.Table, Failed: failed, Checked: checked,
			Message: fmt.Sprintf("%d of %d numbers are missing or not finite", failed, checked),
		})
	}
	return findings, []Metric{{Name: "tables", Value: float64(len(findings))}}
}
