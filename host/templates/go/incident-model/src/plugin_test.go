package src

import (
	"testing"

	. "plugin/telemill"
)

// `telemill plugin test` holds the component to all laws; what is the plugin's own is tested here.
func TestADayHasAsManyIncidentsAsConfigured(t *testing.T) {
	model := open(Config{PerDay: 5, Factor: 3}, 1, []Target{{Name: "a", Signals: []string{"load"}}})
	incidents := model.Plan(Window{Start: Day, End: 2 * Day})
	if len(incidents) != 5 {
		t.Fatal(incidents)
	}
	for _, incident := range incidents {
		if incident.Window.Start < Day || incident.Window.Start >= 2*Day {
			t.Fatal(incident)
		}
	}
}
