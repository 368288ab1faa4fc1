package src

import "testing"

// `telemill plugin test` holds the component to all laws; what is the plugin's own is tested here.
func TestEveryNodeIsATargetOfTheNetwork(t *testing.T) {
	targets := plan(Config{Nodes: 5, RequestsPerSecond: 80}).Targets
	if len(targets) != 6 || targets[4].Parents[0] != targets[5].Name {
		t.Fatal(targets)
	}
}
