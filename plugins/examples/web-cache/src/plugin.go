// Package src is the generator web-cache: what the nodes of a content network count each minute. Requests follow the day, a
// cache serves most of them, and the origin waits behind it.
package src

import (
	"fmt"
	"math"

	. "plugin/telemill"
)

const step = Minute

var (
	node    = ProcessOf("node")
	crowd   = ProcessOf("crowd")
	arrival = ProcessOf("arrival")
)

// Config is what a user can say.
type Config struct {
	Nodes             int     `json:"nodes"`
	RequestsPerSecond float64 `json:"requests_per_second"`
}

func nodeName(index int) string { return fmt.Sprintf("edge-%02d", index+1) }

func init() {
	DefineGenerator(Generator[Config]{
		About: About{
			Name:    "web-cache",
			Version: "0.1.0",
			Summary: "Nodes of a content network: requests, share of hits, time of the origin",
			Properties: map[string]any{
				"nodes": map[string]any{"type": "integer", "minimum": 1, "maximum": 2000, "default": 24,
					"description": "Nodes of the network"},
				"requests_per_second": map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 1e6, "default": 80,
					"description": "What a node serves on average"},
			},
			Examples: map[string]any{"one city": map[string]any{"nodes": 3, "requests_per_second": 400}},
		},
		Plan: plan,
		Open: open,
	})
}

func plan(config Config) Simulation {
	simulation := Simulation{
		Step: step,
		Tables: []Table{{
			Name: "cache_minutes", Summary: "What one node counted in a minute", TimeField: "at",
			PrimaryKey: []string{"at", "node"},
			Fields: []Field{
				{Name: "at", Type: Timestamp, Summary: "The start of the minute", MovedBy: []string{}},
				{Name: "node", Type: Text, Summary: "Which node", MovedBy: []string{}},
				{Name: "requests", Type: Int64, Summary: "Requests served", MovedBy: []string{"demand"}},
				{Name: "requests_total", Type: Int64, Summary: "Requests since the run began", MovedBy: []string{"demand"}},
				{Name: "hit_ratio", Type: Float64, Summary: "The share that came from the cache", MovedBy: []string{"misses"}},
				{Name: "origin_ms", Type: Float64, Summary: "Mean time of the origin", Unit: "ms"},
				{Name: "incident_id", Type: Text, Summary: "The incident that bent it", Nullable: true},
			},
		}},
		Signals: []Signal{
			{Name: "demand", Summary: "Requests that come", Table: "cache_minutes", Column: "requests"},
			{Name: "misses", Summary: "What the cache does not have", Table: "cache_minutes", Column: "hit_ratio", Inverse: true},
		},
	}
	signals := []string{"demand", "misses"}
	for index := range config.Nodes {
		role := []Attribute{{Name: "role", Value: "node"}}
		target := Target{Name: nodeName(index), Parents: []string{"network"}, Signals: signals, Attributes: role}
		simulation.Targets = append(simulation.Targets, target)
	}
	system := Target{Name: "network", Signals: signals, Attributes: []Attribute{{Name: "role", Value: "system"}}}
	simulation.Targets = append(simulation.Targets, system)
	return simulation
}

type edge struct {
	name     string
	size     float64
	misses   float64
	crowd    *Noise
	arrivals Steps
}

type network struct {
	perMinute float64
	edges     []edge
	// Requests of each node so far, which are carried from minute to minute.
	totals []int64
}

func (n *network) State() any { return &n.totals }

func open(config Config, shard Shard) Model {
	model := &network{perMinute: 60 * config.RequestsPerSecond}
	for index := range config.Nodes {
		if !shard.Owns(index) {
			continue
		}
		draw := StreamOf(shard.Seed, node, uint64(index), 0)
		model.edges = append(model.edges, edge{
			name:     nodeName(index),
			size:     math.Exp(draw.Normal(-0.125, 0.5)),
			misses:   draw.Between(0.05, 0.15),
			crowd:    NoiseOf(shard.Seed, crowd, uint64(index), 120),
			arrivals: StepsOf(shard.Seed, arrival, uint64(index)),
		})
	}
	model.totals = make([]int64, len(model.edges))
	return model
}

func (n *network) Advance(window Window, rows []*Rows, effects *Effects) {
	for t := window.Start; t < window.End; t += step {
		number := FloorDiv(t, step)
		day := 1 + 0.6*math.Sin((HourOfDay(t)-13)/12*math.Pi)
		for index, edge := range n.edges {
			base := n.perMinute * edge.size * day * math.Exp(0.15*edge.crowd.At(number))
			demand := effects.At(edge.name, "demand", t)
			misses := effects.At(edge.name, "misses", t)
			draw := edge.arrivals.Stream(number)
			requests := draw.Poisson(demand.Apply(base))
			n.totals[index] += int64(requests)
			missed := min(1, max(0, misses.Apply(edge.misses)))
			// The origin waits the longer the nearer it comes to what it can do: four times its usual load.
			load := min(0.97, demand.Apply(base)*missed/(4*n.perMinute*edge.size*0.1))
			blame := misses.Blame(edge.misses)
			if blame == nil {
				blame = demand.Blame(base)
			}
			rows[0].Push(t, edge.name, requests, n.totals[index], 1-missed, 35/(1-load), blame)
		}
	}
}
