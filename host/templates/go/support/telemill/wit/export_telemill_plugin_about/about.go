// Package export_telemill_plugin_about tells the host what the plugin says of itself.
package export_telemill_plugin_about

import (
	"encoding/json"
	"slices"

	"plugin/telemill"
	"plugin/telemill/wit/telemill_plugin_about"
)

// Describe tells.
func Describe() telemill_plugin_about.Descriptor {
	about := telemill.Plugin
	descriptor := telemill_plugin_about.Descriptor{
		Name:          about.Name,
		Version:       about.Version,
		Summary:       about.Summary,
		Documentation: about.Summary,
		ConfigSchema:  about.Schema(),
	}
	for name, config := range about.Examples {
		text, err := json.Marshal(config)
		if err != nil {
			panic(err)
		}
		example := telemill_plugin_about.Example{Name: name, Config: string(text)}
		descriptor.Examples = append(descriptor.Examples, example)
	}
	slices.SortFunc(descriptor.Examples, func(a, b telemill_plugin_about.Example) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return descriptor
}

// Check has nothing to say that the schema does not.
func Check(config string) []telemill_plugin_about.Problem { return nil }
