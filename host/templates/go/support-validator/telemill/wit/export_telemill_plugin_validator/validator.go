// Package export_telemill_plugin_validator takes the host's calls of a validator.
package export_telemill_plugin_validator

import (
	"plugin/telemill"
	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_types"
	"plugin/telemill/wit/telemill_plugin_validator"
)

type failure = telemill_plugin_types.Error

// Open begins a judgement.
func Open(config string, tables []telemill_plugin_types.Table, window telemill_plugin_types.Window) abi.Result[[]telemill_plugin_validator.Selection, failure] {
	return telemill.Guarded(func() []telemill_plugin_validator.Selection {
		telemill.Calls.Open(config, tables, window)
		return telemill.Selections()
	})
}

// Observe shows rows.
func Observe(batch telemill_plugin_types.Batch) abi.Result[abi.Unit, failure] {
	return telemill.Guarded(func() abi.Unit {
		telemill.Observe(batch)
		return abi.Unit{}
	})
}

// Finish gives the report.
func Finish() abi.Result[telemill_plugin_validator.Report, failure] {
	return telemill.Guarded(telemill.Finish)
}
