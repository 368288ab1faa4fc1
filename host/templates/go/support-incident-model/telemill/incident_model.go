package telemill

import (
	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_types"
)

// Kind is a kind of incident.
type Kind struct{ Name, Summary string }

// Model decides what goes wrong.
type Model interface {
	// Plan gives the incidents that start within one whole UTC day; days come in any order.
	Plan(day Window) []Incident
	// Trigger gives one incident by hand, with what follows from it; it panics with a text where it can't.
	Trigger(kind, target string, window Window) []Incident
}

// IncidentModel is what an author gives.
type IncidentModel[C any] struct {
	About
	Kinds []Kind
	Open  func(config C, seed uint64, targets []Target) Model
}

// Calls are what the host's calls come to.
var Calls struct {
	Kinds []Kind
	Open  func(config string, seed uint64, targets []Target)
	Model Model
}

// DefineIncidentModel makes it the plugin. C is a struct that encoding/json fills.
func DefineIncidentModel[C any](model IncidentModel[C]) {
	Plugin = model.About
	Calls.Kinds = model.Kinds
	Calls.Open = func(config string, seed uint64, targets []Target) {
		Calls.Model = model.Open(ReadConfig[C](config), seed, targets)
	}
}

// NewIncident makes an incident of medium severity with what follows from its effects filled in.
func NewIncident(id, kind, title string, effects ...Effect) Incident {
	incident := Incident{
		Id: id, Kind: kind, Title: title, Severity: Medium, Cause: abi.None[string](), Effects: effects,
		Role: telemill_plugin_types.RoleIncident,
	}
	for index, effect := range effects {
		if index == 0 || effect.Start < incident.Window.Start {
			incident.Window.Start = effect.Start
		}
		incident.Window.End = max(incident.Window.End, effect.Release)
		incident.Recovered = max(incident.Recovered, effect.End)
	}
	return incident
}
