// Package abi is what the generated bindings stand on: memory that the host may write, options and results.
package abi

import (
	"runtime"
	"unsafe"
)

// What the host allocates for the arguments of a call stays pinned until the call has taken them over.
var arguments runtime.Pinner

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	place := Allocate(&arguments, uintptr(size), uintptr(align))
	if old != nil {
		copy(unsafe.Slice((*byte)(place), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	}
	return place
}

// Allocate gives memory that stays where it is until the pinner lets go. Alignments are at most eight.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(align)
	}
	var place unsafe.Pointer
	if align <= 1 {
		place = unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
	} else {
		place = unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	}
	pinner.Pin(place)
	return place
}

// Unpin lets go of the arguments of a call.
func Unpin() { arguments.Unpin() }

// Tags of options and results.
const (
	OptionNone uint8 = 0
	OptionSome uint8 = 1
	ResultOk   uint8 = 0
	ResultErr  uint8 = 1
)

// Option is a value or none.
type Option[T any] struct {
	is    bool
	value T
}

// Some is a value.
func Some[T any](value T) Option[T] { return Option[T]{true, value} }

// None is none.
func None[T any]() Option[T] { return Option[T]{} }

// Tag tells OptionNone and OptionSome apart.
func (o Option[T]) Tag() uint8 {
	if o.is {
		return OptionSome
	}
	return OptionNone
}

// Some is the value; the zero value where there is none.
func (o Option[T]) Some() T { return o.value }

// Unit is nothing.
type Unit struct{}

// Result is what a function of the contract gives, or its error.
type Result[T, E any] struct {
	failed bool
	ok     T
	err    E
}

// Ok is a good end.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{ok: value} }

// Err is a bad one.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{failed: true, err: err} }

// Tag tells ResultOk and ResultErr apart.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok is the value.
func (r Result[T, E]) Ok() T { return r.ok }

// Err is the error.
func (r Result[T, E]) Err() E { return r.err }
