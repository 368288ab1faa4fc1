package telemill

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
	"unsafe"

	"plugin/telemill/abi"
	"plugin/telemill/wit/telemill_plugin_generator"
	"plugin/telemill/wit/telemill_plugin_types"
)

// Type is the type of a column.
type Type = telemill_plugin_types.DataType

// Types of columns.
const (
	Boolean   = telemill_plugin_types.DataTypeBoolean
	Int32     = telemill_plugin_types.DataTypeInt32
	Int64     = telemill_plugin_types.DataTypeInt64
	Float32   = telemill_plugin_types.DataTypeFloat32
	Float64   = telemill_plugin_types.DataTypeFloat64
	Text      = telemill_plugin_types.DataTypeUtf8
	Date      = telemill_plugin_types.DataTypeDate
	Timestamp = telemill_plugin_types.DataTypeTimestamp
)

// Field is a column of a table.
type Field struct {
	Name     string
	Type     Type
	Summary  string
	Unit     string
	Nullable bool
	// MovedBy names the signals that may move the column, an empty slice for none, nil where nothing is said. The conformance
	// check holds the model to it.
	MovedBy []string
	// Owner says that the column names the target that a row belongs to: effects on others leave the row as it is. The
	// conformance check holds the model to it.
	Owner bool
}

// Table is what a generator fills.
type Table struct {
	Name, Summary, TimeField string
	PrimaryKey               []string
	Fields                   []Field
}

// Signal is a quantity that incidents can bend, and the column that shows it.
type Signal struct {
	Name, Summary, Unit, Table, Column string
	Inverse                            bool
}

// Simulation is what a generator simulates.
type Simulation struct {
	Step    int64
	Tables  []Table
	Signals []Signal
	Targets []Target
}

// Shard is a part of a run.
type Shard struct {
	telemill_plugin_generator.Shard
}

// Owns is whether this partition makes the rows of an entity or an event.
func (s Shard) Owns(index int) bool { return uint32(index)%s.Partitions == s.Partition }

// Model makes rows.
type Model interface {
	Advance(window Window, rows []*Rows, effects *Effects)
}

// Stateful is a model that carries something over a step.
type Stateful interface {
	Model
	// State points to all of it. It is saved as encoding/json writes it, exported fields and no others, and read into what a
	// model that was just opened points to.
	State() any
}

// Generator is what an author gives: what is simulated, and a model of a part of it.
type Generator[C any] struct {
	About
	Plan func(config C) Simulation
	Open func(config C, shard Shard) Model
}

// DefineGenerator makes it the plugin. C is a struct that encoding/json fills.
func DefineGenerator[C any](generator Generator[C]) {
	Plugin = generator.About
	Calls.Plan = func(config string) telemill_plugin_generator.Simulation {
		return generator.Plan(ReadConfig[C](config)).raw()
	}
	Calls.Open = func(config string, shard telemill_plugin_generator.Shard) {
		read := ReadConfig[C](config)
		simulation := generator.Plan(read)
		Calls.effects = newEffects(simulation)
		Calls.rows = nil
		for _, table := range simulation.Tables {
			Calls.rows = append(Calls.rows, newRows(table))
		}
		Calls.model = generator.Open(read, Shard{shard})
	}
}

// Calls are what the host's calls come to.
var Calls struct {
	Plan    func(config string) telemill_plugin_generator.Simulation
	Open    func(config string, shard telemill_plugin_generator.Shard)
	model   Model
	rows    []*Rows
	effects *Effects
}

// Inject adds incidents.
func Inject(incidents []Incident) { Calls.effects.inject(incidents) }

// Advance makes the rows of a window.
func Advance(window Window) []Raw {
	Calls.effects.prepare(window)
	Calls.model.Advance(window, Calls.rows, Calls.effects)
	var batches []Raw
	for index, rows := range Calls.rows {
		if rows.count > 0 {
			batches = append(batches, rows.finish(uint32(index)))
		}
	}
	return batches
}

// A state begins with it, so that one of another version and a damaged one are known.
func sumOf(state []byte) uint64 {
	return uint64(ProcessOf(Plugin.Name + "\n" + Plugin.Version + "\n" + string(state)))
}

// Save is what Restore goes on from, nothing for a model that carries nothing over a step.
func Save() abi.Option[[]byte] {
	model, carries := Calls.model.(Stateful)
	if !carries {
		return abi.None[[]byte]()
	}
	state, err := json.Marshal(model.State())
	if err != nil {
		panic(err)
	}
	return abi.Some(append(binary.LittleEndian.AppendUint64(nil, sumOf(state)), state...))
}

// Restore begins a part of a run with what was saved.
func Restore(config string, shard telemill_plugin_generator.Shard, saved []byte) {
	Calls.Open(config, shard)
	model, carries := Calls.model.(Stateful)
	if !carries || len(saved) < 8 || binary.LittleEndian.Uint64(saved) != sumOf(saved[8:]) {
		panic(telemill_plugin_types.MakeErrorUnsupportedState())
	}
	if err := json.Unmarshal(saved[8:], model.State()); err != nil {
		panic(err)
	}
}

func maybe(text string) abi.Option[string] {
	if text == "" {
		return abi.None[string]()
	}
	return abi.Some(text)
}

func (f Field) attributes() (said []Attribute) {
	if f.MovedBy != nil {
		said = append(said, Attribute{Name: "moved_by", Value: strings.Join(f.MovedBy, ", ")})
	}
	if f.Owner {
		said = append(said, Attribute{Name: "owner", Value: "target"})
	}
	return said
}

func (s Simulation) raw() telemill_plugin_generator.Simulation {
	raw := telemill_plugin_generator.Simulation{Step: uint64(s.Step), Targets: s.Targets}
	for _, table := range s.Tables {
		made := RawTable{
			Name:       table.Name,
			Summary:    table.Summary,
			Kind:       telemill_plugin_types.TableKindEvents,
			PrimaryKey: table.PrimaryKey,
			TimeField:  maybe(table.TimeField),
		}
		for _, field := range table.Fields {
			made.Fields = append(made.Fields, RawField{
				Name: field.Name, DataType: field.Type, Nullable: field.Nullable, Unit: maybe(field.Unit), Summary: field.Summary,
				Attributes: field.attributes(),
			})
		}
		raw.Tables = append(raw.Tables, made)
	}
	for _, signal := range s.Signals {
		raw.Signals = append(raw.Signals, telemill_plugin_types.Signal{
			Name: signal.Name, Unit: maybe(signal.Unit), Summary: signal.Summary, Table: signal.Table, Column: signal.Column,
			Inverse: signal.Inverse,
		})
	}
	return raw
}

// Rows collects the rows of one table in one window.
type Rows struct {
	table   Table
	columns []column
	count   int
}

type column struct {
	field   Field
	numbers []float64
	whole   []int64
	keys    []uint32
	valid   []bool
	nulls   int
	known   map[string]uint32
	text    []string
}

func newRows(table Table) *Rows {
	rows := &Rows{table: table}
	for _, field := range table.Fields {
		rows.columns = append(rows.columns, column{field: field, known: map[string]uint32{}})
	}
	return rows
}

// Push adds a row, its values in the order of the fields: int64, int, float64, bool or string as the column wants it; nil is
// null.
func (r *Rows) Push(values ...any) {
	if len(values) != len(r.columns) {
		panic(fmt.Sprintf("a row of %s has %d values instead of %d", r.table.Name, len(values), len(r.columns)))
	}
	for index, value := range values {
		r.columns[index].push(value)
	}
	r.count++
}

func (c *column) push(value any) {
	if c.field.Nullable {
		c.valid = append(c.valid, value != nil)
		if value == nil {
			c.nulls++
		}
	} else if value == nil {
		panic(fmt.Sprintf("a null in the column %s, which is declared without", c.field.Name))
	}
	switch c.field.Type {
	case Float32, Float64:
		number := 0.0
		switch value := value.(type) {
		case nil:
		case float64:
			number = value
		default:
			panic(fmt.Sprintf("%v of type %T in the column %s", value, value, c.field.Name))
		}
		c.numbers = append(c.numbers, number)
	case Text:
		text, _ := value.(string)
		key, known := c.known[text]
		if !known {
			key = uint32(len(c.text))
			c.known[text] = key
			c.text = append(c.text, text)
		}
		c.keys = append(c.keys, key)
	default:
		var whole int64
		switch value := value.(type) {
		case nil:
		case int64:
			whole = value
		case int:
			whole = int64(value)
		case bool:
			if value {
				whole = 1
			}
		default:
			panic(fmt.Sprintf("%v of type %T in the column %s", value, value, c.field.Name))
		}
		c.whole = append(c.whole, whole)
	}
}

func packed[T any](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(values[0])))
}

func bits[T any](values []T, is func(T) bool) []byte {
	made := make([]byte, (len(values)+7)/8)
	for index, value := range values {
		if is(value) {
			made[index/8] |= 1 << (index % 8)
		}
	}
	return made
}

func narrow[From, To any](values []From, to func(From) To) []To {
	made := make([]To, len(values))
	for index, value := range values {
		made[index] = to(value)
	}
	return made
}

func (c *column) finish() telemill_plugin_types.Column {
	made := telemill_plugin_types.Column{Validity: abi.None[[]byte]()}
	if c.nulls > 0 {
		made.Validity = abi.Some(bits(c.valid, func(valid bool) bool { return valid }))
	}
	var values []byte
	switch c.field.Type {
	case Text:
		offsets, bytes := []uint32{0}, []byte{}
		for _, text := range c.text {
			bytes = append(bytes, text...)
			offsets = append(offsets, uint32(len(bytes)))
		}
		text := telemill_plugin_types.Text{Offsets: packed(offsets), Bytes: bytes}
		keys := telemill_plugin_types.Dictionary{Keys: packed(c.keys), Values: text}
		made.Values = telemill_plugin_types.MakeValuesDictionary(keys)
		*c = column{field: c.field, known: map[string]uint32{}}
		return made
	case Float64:
		values = packed(c.numbers)
	case Float32:
		values = packed(narrow(c.numbers, func(number float64) float32 { return float32(number) }))
	case Int64, Timestamp:
		values = packed(c.whole)
	case Boolean:
		values = bits(c.whole, func(whole int64) bool { return whole != 0 })
	default:
		values = packed(narrow(c.whole, func(whole int64) int32 { return int32(whole) }))
	}
	made.Values = telemill_plugin_types.MakeValuesPacked(values)
	*c = column{field: c.field}
	return made
}

func (r *Rows) finish(index uint32) Raw {
	batch := Raw{Table: index, Rows: uint32(r.count)}
	for at := range r.columns {
		batch.Columns = append(batch.Columns, r.columns[at].finish())
	}
	r.count = 0
	return batch
}

// Effects is all that incidents do to a simulation.
type Effects struct {
	below  map[string][]Target
	known  map[string]bool
	bends  map[[2]string][]bend
	active map[[2]string][]bend
}

type bend struct {
	Effect
	id    string
	decoy bool
}

func newEffects(simulation Simulation) *Effects {
	effects := &Effects{map[string][]Target{}, map[string]bool{}, map[[2]string][]bend{}, map[[2]string][]bend{}}
	parents := map[string][]string{}
	for _, target := range simulation.Targets {
		parents[target.Name] = target.Parents
	}
	for _, target := range simulation.Targets {
		names := []string{target.Name}
		seen := map[string]bool{target.Name: true}
		for next := 0; next < len(names); next++ {
			effects.below[names[next]] = append(effects.below[names[next]], target)
			for _, parent := range parents[names[next]] {
				if !seen[parent] {
					seen[parent] = true
					names = append(names, parent)
				}
			}
		}
	}
	return effects
}

func (e *Effects) inject(incidents []Incident) {
	for _, incident := range incidents {
		if e.known[incident.Id] {
			continue
		}
		e.known[incident.Id] = true
		for _, effect := range incident.Effects {
			for _, target := range e.below[effect.Target] {
				for _, signal := range target.Signals {
					if signal != effect.Signal {
						continue
					}
					key := [2]string{target.Name, signal}
					bends := append(e.bends[key], bend{effect, incident.Id, incident.Role == Decoy})
					sort.SliceStable(bends, func(a, b int) bool {
						if bends[a].Start != bends[b].Start {
							return bends[a].Start < bends[b].Start
						}
						return bends[a].id < bends[b].id
					})
					e.bends[key] = bends
				}
			}
		}
	}
}

func (e *Effects) prepare(window Window) {
	clear(e.active)
	for key, bends := range e.bends {
		for _, bend := range bends {
			if bend.Start < window.End && window.Start < bend.End {
				e.active[key] = append(e.active[key], bend)
			}
		}
	}
}

// At is what acts on a signal of a target at an instant of the window that is asked for.
func (e *Effects) At(target, signal string, t int64) Bent {
	if len(e.active) == 0 {
		return Bent{}
	}
	return Bent{e.active[[2]string{target, signal}], t}
}

// Bent is a signal of a target at one instant.
type Bent struct {
	bends []bend
	t     int64
}

func (b bend) strength(t int64) float64 {
	switch {
	case t < b.Start || t >= b.End:
		return 0
	case t < b.Full:
		return float64(t-b.Start) / float64(b.Full-b.Start)
	case t < b.Release:
		return 1
	default:
		return float64(b.End-t) / float64(b.End-b.Release)
	}
}

// Base times all scales plus all offsets; over that each `set` in the order of their starts.
func (b Bent) bent(base float64, only string) float64 {
	scale, offset, keep, put := 1.0, 0.0, 1.0, 0.0
	for _, bend := range b.bends {
		strength := bend.strength(b.t)
		if strength <= 0 || only != "" && only != bend.id {
			continue
		}
		switch bend.Operation {
		case Scale:
			scale *= 1 + (bend.Value-1)*strength
		case Offset:
			offset += bend.Value * strength
		default:
			keep *= 1 - strength
			put = put*(1-strength) + bend.Value*strength
		}
	}
	return (base*scale+offset)*keep + put
}

// Apply is what becomes of a base value.
func (b Bent) Apply(base float64) float64 {
	if len(b.bends) == 0 {
		return base
	}
	return b.bent(base, "")
}

// Blame is the id of the incident that changes a base value most, or nil; decoys change values and are never to blame.
func (b Bent) Blame(base float64) any {
	most, id := 0.0, ""
	for _, bend := range b.bends {
		if bend.decoy {
			continue
		}
		change := math.Abs(b.bent(base, bend.id)-base) / max(math.Abs(base), math.SmallestNonzeroFloat64)
		if change > most || change > 0 && change == most && bend.id < id {
			most, id = change, bend.id
		}
	}
	if id == "" {
		return nil
	}
	return id
}
