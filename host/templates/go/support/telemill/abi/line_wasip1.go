package abi

import "unsafe"

// Telemill's place in WASI's (telemill/no-wasi.wat) makes lines of what is written to standard error and output here, for the
// host's log. Go's runtime writes a panic in many pieces.
var line [1024]byte

//go:wasmimport wasi_snapshot_preview1 telemill_line
func lendLine(place unsafe.Pointer, room uint32)

func init() { lendLine(unsafe.Pointer(&line), uint32(len(line))) }
