// Package src is the incident model @name@: something goes wrong on any target now and then. Put your own troubles in its
// place.
package src

import (
	"fmt"

	. "plugin/telemill"
)

const kind = "trouble"

var trouble = ProcessOf("trouble")

// Config is what a user can say.
type Config struct {
	PerDay int     `json:"per_day"`
	Factor float64 `json:"factor"`
}

func init() {
	DefineIncidentModel(IncidentModel[Config]{
		About: About{
			Name:    "@name@",
			Version: "0.1.0",
			Summary: "Trouble now and then: a signal of a target grows for some minutes",
			Properties: map[string]any{
				"per_day": map[string]any{"type": "integer", "minimum": 0, "maximum": 1000, "default": 3,
					"description": "Incidents in a UTC day"},
				"factor": map[string]any{"type": "number", "minimum": 1, "default": 3,
					"description": "What the signal is multiplied with"},
			},
			Examples: map[string]any{"often": map[string]any{"per_day": 12}},
		},
		Kinds: []Kind{{Name: kind, Summary: "A signal grows"}},
		Open:  open,
	})
}

type troubles struct {
	Config
	seed    uint64
	targets []Target
}

func open(config Config, seed uint64, targets []Target) Model {
	model := &troubles{Config: config, seed: seed}
	for _, target := range targets {
		if len(target.Signals) > 0 {
			model.targets = append(model.targets, target)
		}
	}
	return model
}

func (m *troubles) one(id string, target Target, start, end int64) Incident {
	title := fmt.Sprintf("Trouble with %s", target.Name)
	return NewIncident(id, kind, title, Effect{
		Target: target.Name, Signal: target.Signals[0], Operation: Scale, Value: m.Factor,
		Start: start, Full: min(start+Minute, end), Release: end, End: end + 5*Minute,
	})
}

// The incidents of one UTC day follow from seed and date alone; days come in any order.
func (m *troubles) Plan(day Window) []Incident {
	var incidents []Incident
	number := FloorDiv(day.Start, Day)
	for index := 0; index < m.PerDay && len(m.targets) > 0; index++ {
		draw := StreamOf(m.seed, trouble, uint64(index), number)
		target := m.targets[draw.Below(len(m.targets))]
		start := day.Start + int64(draw.Below(23*60))*Minute
		length := int64(5+draw.Below(16)) * Minute
		incidents = append(incidents, m.one(fmt.Sprintf("@name@-%d-%d", number, index), target, start, start+length))
	}
	return incidents
}

// One by hand, from an [[incident]] of a spec.
func (m *troubles) Trigger(of, name string, window Window) []Incident {
	for _, target := range m.targets {
		if of == kind && target.Name == name {
			id := fmt.Sprintf("@name@-hand-%s-%d", name, window.Start)
			return []Incident{m.one(id, target, window.Start, window.End)}
		}
	}
	panic(fmt.Sprintf("%s on %s: there is %s, on a target with a signal", of, name, kind))
}
