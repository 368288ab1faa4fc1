// Package export_telemill_plugin_generator takes the host's calls of a generator.
package export_telemill_plugin_generator

import (
	"plugin/telemill"
	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_generator"
	"plugin/telemill/wit/telemill_plugin_types"
)

type failure = telemill_plugin_types.Error

// Plan says what is simulated.
func Plan(config string) abi.Result[telemill_plugin_generator.Simulation, failure] {
	return telemill.Guarded(func() telemill_plugin_generator.Simulation { return telemill.Calls.Plan(config) })
}

// Open begins a part of a run.
func Open(config string, shard telemill_plugin_generator.Shard) abi.Result[abi.Unit, failure] {
	return done(func() { telemill.Calls.Open(config, shard) })
}

// Feed has nothing to take: there are no inputs.
func Feed(input telemill_plugin_types.Batch) abi.Result[abi.Unit, failure] {
	return done(func() { panic("it declares no inputs") })
}

// Inject adds incidents.
func Inject(incidents []telemill_plugin_types.Incident) abi.Result[abi.Unit, failure] {
	return done(func() { telemill.Inject(incidents) })
}

// Advance makes the rows of a window.
func Advance(window telemill_plugin_types.Window) abi.Result[[]telemill_plugin_types.Batch, failure] {
	return telemill.Guarded(func() []telemill_plugin_types.Batch { return telemill.Advance(window) })
}

// Save gives what is carried over a step.
func Save() abi.Result[abi.Option[[]byte], failure] { return telemill.Guarded(telemill.Save) }

// Restore goes on from it.
func Restore(config string, shard telemill_plugin_generator.Shard, state []byte) abi.Result[abi.Unit, failure] {
	return done(func() { telemill.Restore(config, shard, state) })
}

func done(call func()) abi.Result[abi.Unit, failure] {
	return telemill.Guarded(func() abi.Unit {
		call()
		return abi.Unit{}
	})
}
