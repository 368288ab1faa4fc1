// Package telemill is what a plugin in Go needs. The files in this folder belong to Telemill: change your own under src/,
// and delete this folder to get those of a newer `telemill` with the next build.
package telemill

import (
	"encoding/json"
	"fmt"
	"math"
	wide "math/bits"
	"runtime/debug"

	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_host"
	"plugin/telemill/wit/telemill_plugin_types"
)

// What the contract calls by the same names.
type (
	Window   = telemill_plugin_types.Window
	Incident = telemill_plugin_types.Incident
	Effect   = telemill_plugin_types.Effect
	Problem  = telemill_plugin_types.Problem
	Raw      = telemill_plugin_types.Batch
	RawField = telemill_plugin_types.Field
	RawTable = telemill_plugin_types.Table
	RawError = telemill_plugin_types.Error
)

// Operations of effects, and what incidents are.
const (
	Scale  = telemill_plugin_types.OperationScale
	Offset = telemill_plugin_types.OperationOffset
	Set    = telemill_plugin_types.OperationSet

	Decoy    = telemill_plugin_types.RoleDecoy
	Low      = telemill_plugin_types.SeverityLow
	Info     = telemill_plugin_types.SeverityInfo
	Medium   = telemill_plugin_types.SeverityMedium
	High     = telemill_plugin_types.SeverityHigh
	Critical = telemill_plugin_types.SeverityCritical
)

// Times are microseconds since 1970-01-01T00:00:00Z.
const (
	Millisecond int64 = 1_000
	Second            = 1_000 * Millisecond
	Minute            = 60 * Second
	Hour              = 60 * Minute
	Day               = 24 * Hour
)

// FloorDiv rounds towards negative infinity, as steps before 1970 want it.
func FloorDiv(a, b int64) int64 {
	quotient := a / b
	if a%b < 0 {
		quotient--
	}
	return quotient
}

// HourOfDay is the hour of the day in UTC, with its fraction.
func HourOfDay(t int64) float64 { return float64(t-FloorDiv(t, Day)*Day) / float64(Hour) }

// About is what a plugin says of itself.
type About struct {
	Name, Version, Summary string
	// Properties of a JSON Schema 2020-12 of the configuration, each with a default.
	Properties map[string]any
	// Examples are configurations that must work.
	Examples map[string]any
}

// Plugin is what the exports of every kind stand on; the Define functions of a kind set it.
var Plugin About

// Schema is the JSON Schema of the configuration.
func (a About) Schema() string {
	properties := a.Properties
	if properties == nil {
		properties = map[string]any{}
	}
	text, err := json.Marshal(map[string]any{"type": "object", "additionalProperties": false, "properties": properties})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Log says a word beside the run.
func Log(format string, arguments ...any) {
	telemill_plugin_host.Log(telemill_plugin_host.LevelInfo, fmt.Sprintf(format, arguments...))
}

// Attribute is a pair of a name and a value.
type Attribute = telemill_plugin_types.Attribute

// Target is a part of the simulated system that incidents can act on.
type Target = telemill_plugin_types.Target

// RoleOf is what a target is, as its attribute `role` says.
func RoleOf(target Target) string {
	for _, attribute := range target.Attributes {
		if attribute.Name == "role" {
			return attribute.Value
		}
	}
	return ""
}

// ConfigError is what a configuration can't be; panic with it.
type ConfigError struct{ Path, Message string }

// Guarded makes a panic an error with its text and stack.
func Guarded[T any](call func() T) (result abi.Result[T, RawError]) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case ConfigError:
			problem := []Problem{{Path: reason.Path, Message: reason.Message}}
			result = abi.Err[T](telemill_plugin_types.MakeErrorInvalidConfig(problem))
		case RawError:
			result = abi.Err[T](reason)
		default:
			words := fmt.Sprintf("%v\n%s", reason, debug.Stack())
			result = abi.Err[T](telemill_plugin_types.MakeErrorFailed(words))
		}
	}()
	return abi.Ok[T, RawError](call())
}

// ReadConfig reads a configuration into a struct of the author's.
func ReadConfig[C any](text string) C {
	var config C
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		panic(ConfigError{"", err.Error()})
	}
	return config
}

// Keyed randomness: every draw follows from (seed, process, entity, step) and from nothing that came before it. The same key
// gives the same 64 bits as in Telemill's SDK for Rust.

const golden uint64 = 0x9e3779b97f4a7c15

func mix(x uint64) uint64 {
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

func unit(bits uint64) float64 { return float64(bits>>11) * (1.0 / (1 << 53)) }

// Process is the name of something random ("arrivals", "noise") as a part of keys.
type Process uint64

// ProcessOf is the process of a name; make it once.
func ProcessOf(name string) Process {
	hash := uint64(0xcbf29ce484222325)
	for _, b := range []byte(name) {
		hash = (hash ^ uint64(b)) * 0x100000001b3
	}
	return Process(mix(hash))
}

// Steps is seed, process and entity of a key, mixed once for many steps.
type Steps struct{ key uint64 }

// StepsOf are the steps of an entity.
func StepsOf(seed uint64, of Process, entity uint64) Steps {
	key := mix((seed + golden) ^ uint64(of))
	return Steps{mix((key + entity*golden) ^ 0x6a09e667f3bcc909)}
}

// Bits are 64 random bits.
func (s Steps) Bits(step int64) uint64 {
	return mix((s.key + uint64(step)*golden) ^ 0xbb67ae8584caa73b)
}

// Unit is a number in [0, 1).
func (s Steps) Unit(step int64) float64 { return unit(s.Bits(step)) }

// Normal is normally distributed, mean 0 and variance 1.
func (s Steps) Normal(step int64) float64 { return normalQuantile(s.Unit(step)) }

// Stream is a stream for as many draws as a step needs.
func (s Steps) Stream(step int64) Stream {
	key := s.Bits(step)
	return Stream{mix(key + golden), mix(key + golden + golden)}
}

// StreamOf is the stream of a key.
func StreamOf(seed uint64, of Process, entity uint64, step int64) Stream {
	return StepsOf(seed, of, entity).Stream(step)
}

// Stream is random numbers of one key (Xoroshiro128++). Never keep one from a step to the next.
type Stream struct{ low, high uint64 }

// Bits are the next 64 bits.
func (s *Stream) Bits() uint64 {
	low, high := s.low, s.high
	sum := low + high
	high ^= low
	s.low = (low<<49 | low>>15) ^ high ^ high<<21
	s.high = high<<28 | high>>36
	return (sum<<17 | sum>>47) + low
}

// Unit is a number in [0, 1).
func (s *Stream) Unit() float64 { return unit(s.Bits()) }

// Chance is whether an event of this probability happens.
func (s *Stream) Chance(probability float64) bool { return s.Unit() < probability }

// Between is a number in [low, high).
func (s *Stream) Between(low, high float64) float64 { return low + (high-low)*s.Unit() }

// Below is a whole number from 0 to n - 1.
func (s *Stream) Below(n int) int {
	upper, _ := wide.Mul64(s.Bits(), uint64(n))
	return int(upper)
}

// Normal is normally distributed.
func (s *Stream) Normal(mean, deviation float64) float64 {
	return mean + deviation*normalQuantile(s.Unit())
}

// Exponential is the time to the next of events that come at random, `mean` apart.
func (s *Stream) Exponential(mean float64) float64 { return -mean * math.Log(1-s.Unit()) }

// Poisson is how many of events that come at random come in an interval in which `mean` are expected.
func (s *Stream) Poisson(mean float64) int {
	if mean > 30 {
		return int(max(0, math.Round(s.Normal(mean, math.Sqrt(mean)))))
	}
	count, limit := 0, math.Exp(-mean)
	for product := s.Unit(); product > limit; product *= s.Unit() {
		count++
	}
	return count
}

// The inverse of the normal distribution (Acklam's rational approximation, relative error below 1.2e-9).
func normalQuantile(p float64) float64 {
	if p > 0.97575 {
		return -normalQuantile(1 - p)
	}
	if p < 0.02425 {
		q := math.Sqrt(-2 * math.Log(max(p, 0x1p-54)))
		return (((((-7.784894002430293e-3*q-3.223964580411365e-1)*q-2.400758277161838)*q-2.549732539343734)*q+
			4.374664141464968)*q + 2.938163982698783) /
			((((7.784695709041462e-3*q+3.224671290700398e-1)*q+2.445134137142996)*q+3.754408661907416)*q + 1)
	}
	q := p - 0.5
	r := q * q
	return q * (((((-39.69683028665376*r+220.9460984245205)*r-275.9285104469687)*r+138.357751867269)*r-
		30.66479806614716)*r + 2.506628277459239) /
		(((((-54.47609879822406*r+161.5858368580409)*r-155.6989798598866)*r+66.80131188771972)*r-
			13.28068155288572)*r + 1)
}

// Noise has a memory (Ornstein-Uhlenbeck, mean 0, variance 1). The value at a step depends on key and step alone; asking for
// one step after another is cheap.
type Noise struct {
	draws, starts        Steps
	keep, spread, value  float64
	block, current, step int64
}

// NoiseOf makes noise whose correlation falls to 1/e in `memory` steps.
func NoiseOf(seed uint64, of Process, entity uint64, memory float64) *Noise {
	keep := math.Exp(-1 / memory)
	return &Noise{
		draws:   StepsOf(seed, of, entity),
		starts:  StepsOf(seed, Process(uint64(of)^golden), entity),
		keep:    keep,
		spread:  math.Sqrt(1 - keep*keep),
		block:   max(1, int64(math.Ceil(memory*7))),
		current: math.MinInt64,
	}
}

// At is the value at a step.
func (n *Noise) At(step int64) float64 {
	block := FloorDiv(step, n.block)
	if block != n.current || step < n.step {
		n.current = block
		n.step = (block - 1) * n.block
		n.value = n.starts.Normal(n.step)
	}
	for n.step < step {
		n.step++
		n.value = n.keep*n.value + n.spread*n.draws.Normal(n.step)
	}
	return n.value
}
