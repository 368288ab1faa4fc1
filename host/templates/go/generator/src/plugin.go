// Package src is the generator @name@: what the sensors of a building report. Put your own system in its place.
package src

import (
	"fmt"
	"math"

	. "plugin/telemill"
)

const step = 10 * Second

var noise = ProcessOf("noise")

// Config is what a user can say.
type Config struct {
	Sensors int     `json:"sensors"`
	Celsius float64 `json:"celsius"`
}

func sensorName(index int) string { return fmt.Sprintf("sensor-%02d", index) }

func init() {
	DefineGenerator(Generator[Config]{
		About: About{
			Name:    "@name@",
			Version: "0.1.0",
			Summary: "Temperatures that the sensors of a building report",
			Properties: map[string]any{
				"sensors": map[string]any{"type": "integer", "minimum": 1, "maximum": 10000, "default": 20,
					"description": "How many sensors there are"},
				"celsius": map[string]any{"type": "number", "minimum": -50, "maximum": 60, "default": 21,
					"description": "What they show on average"},
			},
			Examples: map[string]any{"few": map[string]any{"sensors": 3}},
		},
		Plan: plan,
		Open: open,
	})
}

// What is simulated: the grid of time, tables, and what incidents can bend.
func plan(config Config) Simulation {
	simulation := Simulation{
		Step: step,
		Tables: []Table{{
			Name: "readings", Summary: "One reading of one sensor", TimeField: "at",
			Fields: []Field{
				{Name: "at", Type: Timestamp, Summary: "When it was taken", MovedBy: []string{}},
				{Name: "sensor", Type: Text, Summary: "Which sensor", MovedBy: []string{}, Owner: true},
				{Name: "celsius", Type: Float64, Summary: "Temperature", Unit: "Cel", MovedBy: []string{"heat"}},
				{Name: "incident_id", Type: Text, Summary: "The incident that bent it", Nullable: true},
			},
		}},
		Signals: []Signal{{Name: "heat", Summary: "What warms a sensor", Unit: "Cel", Table: "readings", Column: "celsius"}},
	}
	for index := range config.Sensors {
		role := []Attribute{{Name: "role", Value: "sensor"}}
		target := Target{Name: sensorName(index), Signals: []string{"heat"}, Attributes: role}
		simulation.Targets = append(simulation.Targets, target)
	}
	return simulation
}

type sensor struct {
	name  string
	noise *Noise
}

type building struct {
	celsius float64
	sensors []sensor
}

// One partition of a run: the sensors that it owns. A value follows from seed, sensor and step alone.
func open(config Config, shard Shard) Model {
	model := &building{celsius: config.Celsius}
	for index := range config.Sensors {
		if shard.Owns(index) {
			one := sensor{sensorName(index), NoiseOf(shard.Seed, noise, uint64(index), 60)}
			model.sensors = append(model.sensors, one)
		}
	}
	return model
}

func (b *building) Advance(window Window, rows []*Rows, effects *Effects) {
	for t := window.Start; t < window.End; t += step {
		day := 2 * math.Sin((HourOfDay(t)-9)/12*math.Pi)
		for _, sensor := range b.sensors {
			heat := effects.At(sensor.name, "heat", t)
			base := b.celsius + day + 0.5*sensor.noise.At(FloorDiv(t, step))
			rows[0].Push(t, sensor.name, heat.Apply(base), heat.Blame(base))
		}
	}
}
