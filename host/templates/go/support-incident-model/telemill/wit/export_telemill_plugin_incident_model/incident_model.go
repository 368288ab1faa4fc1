// Package export_telemill_plugin_incident_model takes the host's calls of an incident model.
package export_telemill_plugin_incident_model

import (
	"plugin/telemill"
	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_incident_model"
	"plugin/telemill/wit/telemill_plugin_types"
)

type failure = telemill_plugin_types.Error

// Kinds names the kinds of incidents.
func Kinds() []telemill_plugin_incident_model.Kind {
	var kinds []telemill_plugin_incident_model.Kind
	for _, kind := range telemill.Calls.Kinds {
		kinds = append(kinds, telemill_plugin_incident_model.Kind{Name: kind.Name, Summary: kind.Summary})
	}
	return kinds
}

// Open begins a run.
func Open(config string, seed uint64, span telemill_plugin_types.Window, targets []telemill_plugin_types.Target) abi.Result[abi.Unit, failure] {
	return telemill.Guarded(func() abi.Unit {
		telemill.Calls.Open(config, seed, targets)
		return abi.Unit{}
	})
}

// Plan gives the incidents of a day.
func Plan(day telemill_plugin_types.Window) abi.Result[[]telemill_plugin_types.Incident, failure] {
	return telemill.Guarded(func() []telemill_plugin_types.Incident { return telemill.Calls.Model.Plan(day) })
}

// Trigger gives one by hand.
func Trigger(kind, target string, window telemill_plugin_types.Window) abi.Result[[]telemill_plugin_types.Incident, failure] {
	return telemill.Guarded(func() []telemill_plugin_types.Incident {
		return telemill.Calls.Model.Trigger(kind, target, window)
	})
}
