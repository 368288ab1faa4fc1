package src

import (
	"testing"

	. "plugin/telemill"
)

// `telemill plugin test` holds the component to all laws; what is the plugin's own is tested here.
func TestEverySensorIsATarget(t *testing.T) {
	simulation := plan(Config{Sensors: 5, Celsius: 21})
	if len(simulation.Targets) != 5 || simulation.Targets[4].Name != "sensor-04" {
		t.Fatal(simulation.Targets)
	}
}

func TestAPartitionHasItsSensors(t *testing.T) {
	var shard Shard
	shard.Seed, shard.Partition, shard.Partitions = 42, 1, 2
	if model := open(Config{Sensors: 5}, shard).(*building); len(model.sensors) != 2 {
		t.Fatal(model.sensors)
	}
}
