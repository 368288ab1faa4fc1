package telemill

import (
	"encoding/binary"
	"math"

	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_types"
	"plugin/telemill/wit/telemill_plugin_validator"
)

// Types of columns.
const (
	Boolean   = telemill_plugin_types.DataTypeBoolean
	Int32     = telemill_plugin_types.DataTypeInt32
	Int64     = telemill_plugin_types.DataTypeInt64
	Float32   = telemill_plugin_types.DataTypeFloat32
	Float64   = telemill_plugin_types.DataTypeFloat64
	Text      = telemill_plugin_types.DataTypeUtf8
	Date      = telemill_plugin_types.DataTypeDate
	Timestamp = telemill_plugin_types.DataTypeTimestamp
)

// Table is one of the dataset, with its fields.
type Table = RawTable

// Selection says which columns of a table are read, and in which order its rows come: none where it is empty.
type Selection = telemill_plugin_validator.Selection

// Finding is what a rule found; High and Critical fail the report.
type Finding struct {
	Rule, Message, Table, Column string
	Severity                     uint8
	Failed, Checked              uint64
	Samples                      []uint64
}

// Metric is a number that the report shows.
type Metric struct {
	Name  string
	Value float64
}

// Judge sees the rows and says what it thinks of them.
type Judge interface {
	Selections() []Selection
	Observe(selection int, batch Batch)
	Finish() ([]Finding, []Metric)
}

// Validator is what an author gives.
type Validator[C any] struct {
	About
	Open func(config C, tables []Table, window Window) Judge
}

// Calls are what the host's calls come to.
var Calls struct {
	Open   func(config string, tables []Table, window Window)
	judge  Judge
	fields [][]RawField
}

// DefineValidator makes it the plugin. C is a struct that encoding/json fills.
func DefineValidator[C any](validator Validator[C]) {
	Plugin = validator.About
	Calls.Open = func(config string, tables []Table, window Window) {
		Calls.judge = validator.Open(ReadConfig[C](config), tables, window)
		Calls.fields = nil
		for _, selection := range Calls.judge.Selections() {
			var fields []RawField
			for _, name := range selection.Columns {
				fields = append(fields, fieldOf(tables, selection.Table, name))
			}
			Calls.fields = append(Calls.fields, fields)
		}
	}
}

func fieldOf(tables []Table, table, name string) RawField {
	for _, of := range tables {
		for _, field := range of.Fields {
			if of.Name == table && field.Name == name {
				return field
			}
		}
	}
	panic("there is no column " + name + " in a table " + table)
}

// Selections are what the validator reads.
func Selections() []Selection { return Calls.judge.Selections() }

// Observe shows rows.
func Observe(batch Raw) {
	Calls.judge.Observe(int(batch.Table), Batch{batch, Calls.fields[batch.Table]})
}

// Finish gives the report.
func Finish() telemill_plugin_validator.Report {
	findings, metrics := Calls.judge.Finish()
	report := telemill_plugin_validator.Report{}
	for _, finding := range findings {
		report.Findings = append(report.Findings, telemill_plugin_validator.Finding{
			Rule: finding.Rule, Severity: finding.Severity, Table: maybe(finding.Table), Column: maybe(finding.Column),
			Message: finding.Message, Failed: finding.Failed, Checked: finding.Checked, Samples: finding.Samples,
		})
	}
	for _, metric := range metrics {
		made := telemill_plugin_validator.Metric{
			Name: metric.Name, Value: metric.Value, Unit: abi.None[string](), At: abi.None[int64](),
		}
		report.Metrics = append(report.Metrics, made)
	}
	return report
}

func maybe(text string) abi.Option[string] {
	if text == "" {
		return abi.None[string]()
	}
	return abi.Some(text)
}

// Batch is rows that the host sent.
type Batch struct {
	raw    Raw
	fields []RawField
}

// Rows is how many there are.
func (b Batch) Rows() int { return int(b.raw.Rows) }

// Has is whether a row has a value.
func (b Batch) Has(column, row int) bool {
	validity := b.raw.Columns[column].Validity
	return validity.Tag() == abi.OptionNone || validity.Some()[row/8]>>(row%8)&1 == 1
}

// Number is a value as a number; a whole number above 2^53 loses its last digits.
func (b Batch) Number(column, row int) float64 {
	bytes := b.raw.Columns[column].Values.Packed()
	switch b.fields[column].DataType {
	case Boolean:
		return float64(bytes[row/8] >> (row % 8) & 1)
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(bytes[row*8:]))
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(bytes[row*4:])))
	case Int32, Date:
		return float64(int32(binary.LittleEndian.Uint32(bytes[row*4:])))
	default:
		return float64(b.Whole(column, row))
	}
}

// Whole is a value of a column of 64 bits: a number or a time.
func (b Batch) Whole(column, row int) int64 {
	return int64(binary.LittleEndian.Uint64(b.raw.Columns[column].Values.Packed()[row*8:]))
}

// String is a value of a column of text.
func (b Batch) String(column, row int) string {
	values := b.raw.Columns[column].Values
	if values.Tag() == telemill_plugin_types.ValuesDictionary {
		dictionary := values.Dictionary()
		return cut(dictionary.Values, int(binary.LittleEndian.Uint32(dictionary.Keys[row*4:])))
	}
	return cut(values.Text(), row)
}

func cut(text telemill_plugin_types.Text, at int) string {
	// Under a null stands any key, with or without a value.
	if at*4+8 > len(text.Offsets) {
		return ""
	}
	start, end := binary.LittleEndian.Uint32(text.Offsets[at*4:]), binary.LittleEndian.Uint32(text.Offsets[at*4+4:])
	return string(text.Bytes[start:end])
}
