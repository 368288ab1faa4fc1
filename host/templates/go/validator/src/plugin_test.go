package src

import (
	"testing"

	. "plugin/telemill"
)

// `telemill plugin test` holds the component to all laws; what is the plugin's own is tested here.
func TestColumnsOfNumbersAreRead(t *testing.T) {
	fields := []RawField{{Name: "at", DataType: Timestamp}, {Name: "value", DataType: Float64}}
	judge := open(Config{AtMost: 0.1}, []Table{{Name: "readings", Fields: fields}}, Window{})
	if selections := judge.Selections(); len(selections) != 1 || selections[0].Columns[0] != "value" {
		t.Fatal(selections)
	}
}
