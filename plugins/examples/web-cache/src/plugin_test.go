package src

import (
	"reflect"
	"testing"

	. "plugin/telemill"
)

// `telemill plugin test` holds the component to all laws; what is the plugin's own is tested here.
func TestEveryNodeIsATargetOfTheNetwork(t *testing.T) {
	targets := plan(Config{Nodes: 5, RequestsPerSecond: 80}).Targets
	if len(targets) != 6 || targets[4].Parents[0] != targets[5].Name {
		t.Fatal(targets)
	}
}

func TestTotalsGoOnFromWhatWasSaved(t *testing.T) {
	const config = `{"nodes": 3, "requests_per_second": 80}`
	shard := Shard{}
	shard.Seed, shard.Partitions = 42, 1
	Calls.Open(config, shard.Shard)
	Advance(Window{Start: 0, End: Hour})
	saved := Save().Some()
	next := Advance(Window{Start: Hour, End: 2 * Hour})
	Restore(config, shard.Shard, saved)
	if again := Advance(Window{Start: Hour, End: 2 * Hour}); !reflect.DeepEqual(again, next) {
		t.Fatal("it went on with other rows")
	}
	defer func() {
		if recover() == nil {
			t.Fatal("half a state was taken")
		}
	}()
	Restore(config, shard.Shard, saved[:len(saved)/2])
}
