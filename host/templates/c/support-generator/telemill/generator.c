#include "generator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef telemill_plugin_types_effect_t effect_t;
typedef telemill_plugin_types_incident_t incident_t;

// ---- declaring

#define LAST(list) (&(list).ptr[(list).len - 1])
#define GROW(list) tm_grow((void **)&(list).ptr, &(list).len, sizeof *(list).ptr)

void tm_table(tm_simulation *to, const char *name, const char *summary, const char *time_field) {
  telemill_plugin_types_table_t *table = GROW(to->tables);
  table->name = tm_string("%s", name);
  table->summary = tm_string("%s", summary);
  table->kind = TELEMILL_PLUGIN_TYPES_TABLE_KIND_EVENTS;
  table->time_field = tm_maybe(time_field);
}

void tm_field(tm_simulation *to, const char *name, enum tm_type type, const char *summary, const char *unit, bool nullable) {
  telemill_plugin_types_field_t *field = GROW(LAST(to->tables)->fields);
  field->name = tm_string("%s", name);
  field->data_type = (telemill_plugin_types_data_type_t)type;
  field->nullable = nullable;
  field->unit = tm_maybe(unit);
  field->summary = tm_string("%s", summary);
}

static void say_of_field(tm_simulation *to, const char *name, const char *value) {
  telemill_plugin_types_attribute_t *attribute = GROW(LAST(LAST(to->tables)->fields)->attributes);
  attribute->name = tm_string("%s", name);
  attribute->value = tm_string("%s", value);
}

void tm_moved_by(tm_simulation *to, const char *signals) { say_of_field(to, "moved_by", signals); }
void tm_owner(tm_simulation *to) { say_of_field(to, "owner", "target"); }

void tm_signal(tm_simulation *to, const char *name, const char *summary, const char *table, const char *column, bool inverse) {
  telemill_plugin_types_signal_t *signal = GROW(to->signals);
  signal->name = tm_string("%s", name);
  signal->summary = tm_string("%s", summary);
  signal->table = tm_string("%s", table);
  signal->column = tm_string("%s", column);
  signal->inverse = inverse;
}

void tm_target(tm_simulation *to, const char *name, const char *signal) {
  telemill_plugin_types_target_t *target = GROW(to->targets);
  target->name = tm_string("%s", name);
  tm_target_signal(to, signal);
}

void tm_target_signal(tm_simulation *to, const char *signal) {
  *(plugin_string_t *)GROW(LAST(to->targets)->signals) = tm_string("%s", signal);
}

void tm_target_parent(tm_simulation *to, const char *parent) {
  *(plugin_string_t *)GROW(LAST(to->targets)->parents) = tm_string("%s", parent);
}

void tm_target_attribute(tm_simulation *to, const char *name, const char *value) {
  telemill_plugin_types_attribute_t *attribute = GROW(LAST(to->targets)->attributes);
  attribute->name = tm_string("%s", name);
  attribute->value = tm_string("%s", value);
}

// ---- rows

typedef struct { uint8_t *bytes; size_t length, room; } buffer;

typedef struct {
  enum tm_type type;
  buffer values, valid, offsets, text;
  size_t rows, nulls;
  bool nullable;
} column_t;

struct tm_rows { column_t *columns; size_t count; };

static tm_simulation planned;
static tm_rows *tables;

static void add(buffer *to, const void *bytes, size_t length) {
  if (length == 0) return;
  if (to->length + length > to->room) {
    to->room = (to->length + length) * 2;
    to->bytes = realloc(to->bytes, to->room);
  }
  memcpy(to->bytes + to->length, bytes, length);
  to->length += length;
}

static void add_bit(buffer *to, size_t index, bool bit) {
  uint8_t none = 0;
  if (index % 8 == 0) add(to, &none, 1);
  if (bit) to->bytes[index / 8] |= (uint8_t)(1 << (index % 8));
}

static void add_valid(column_t *column, bool valid) {
  if (column->nullable) add_bit(&column->valid, column->rows, valid);
  column->nulls += !valid;
}

void tm_push_whole(tm_rows *rows, int index, int64_t value) {
  column_t *column = &rows->columns[index];
  add_valid(column, true);
  if (column->type == TM_FLOAT64 || column->type == TM_FLOAT32) {
    double real = (double)value;
    float single = (float)value;
    column->type == TM_FLOAT64 ? add(&column->values, &real, 8) : add(&column->values, &single, 4);
  } else if (column->type == TM_INT64 || column->type == TM_TIMESTAMP) {
    add(&column->values, &value, 8);
  } else if (column->type == TM_BOOLEAN) {
    add_bit(&column->values, column->rows, value != 0);
  } else {
    int32_t narrow = (int32_t)value;
    add(&column->values, &narrow, 4);
  }
  column->rows += 1;
}

void tm_push(tm_rows *rows, int index, double value) {
  column_t *column = &rows->columns[index];
  if (column->type != TM_FLOAT64 && column->type != TM_FLOAT32) {
    tm_push_whole(rows, index, (int64_t)value);
    return;
  }
  float single = (float)value;
  add_valid(column, true);
  column->type == TM_FLOAT64 ? add(&column->values, &value, 8) : add(&column->values, &single, 4);
  column->rows += 1;
}

uint32_t tm_key(tm_rows *rows, int index, const char *text) {
  column_t *column = &rows->columns[index];
  size_t length = strlen(text);
  uint32_t known = (uint32_t)(column->offsets.length / 4);
  const uint32_t *offsets = (const uint32_t *)column->offsets.bytes;
  for (uint32_t key = 0; key + 1 < known; key += 1) {
    size_t start = offsets[key];
    if (offsets[key + 1] - start == length && (length == 0 || memcmp(column->text.bytes + start, text, length) == 0)) return key;
  }
  uint32_t start = 0;
  if (known == 0) add(&column->offsets, &start, 4);
  add(&column->text, text, length);
  uint32_t end = (uint32_t)column->text.length;
  add(&column->offsets, &end, 4);
  return (uint32_t)(column->offsets.length / 4) - 2;
}

void tm_push_key(tm_rows *rows, int index, uint32_t key) {
  column_t *column = &rows->columns[index];
  add_valid(column, true);
  add(&column->values, &key, 4);
  column->rows += 1;
}

void tm_push_text(tm_rows *rows, int index, const char *text) {
  if (text) tm_push_key(rows, index, tm_key(rows, index, text));
  else tm_push_null(rows, index);
}

void tm_push_null(tm_rows *rows, int index) {
  column_t *column = &rows->columns[index];
  uint64_t blank = 0;
  if (!column->nullable) tm_fail("a null in the column %d, which is declared without", index);
  add_valid(column, false);
  if (column->type == TM_BOOLEAN) add_bit(&column->values, column->rows, false);
  else if (column->type == TM_TEXT) {
    uint32_t key = tm_key(rows, index, "");
    add(&column->values, &key, 4);
  } else add(&column->values, &blank, column->type == TM_INT32 || column->type == TM_FLOAT32 || column->type == TM_DATE ? 4 : 8);
  column->rows += 1;
}

tm_rows *tm_rows_of(size_t table) { return &tables[table]; }

static plugin_list_u8_t taken(buffer *from) {
  plugin_list_u8_t list = {from->bytes, from->length};
  *from = (buffer){0};
  return list;
}

static plugin_list_u8_t copied(const buffer *from) {
  plugin_list_u8_t list = {malloc(from->length ? from->length : 1), from->length};
  if (from->length) memcpy(list.ptr, from->bytes, from->length);
  return list;
}

static void finish(column_t *from, telemill_plugin_types_column_t *to) {
  if (from->nulls) to->validity = (plugin_option_list_u8_t){true, taken(&from->valid)};
  from->valid.length = 0;
  if (from->type == TM_TEXT) {
    to->values.tag = TELEMILL_PLUGIN_TYPES_VALUES_DICTIONARY;
    to->values.val.dictionary.keys = taken(&from->values);
    // The dictionary stays, so that keys stay what they are.
    to->values.val.dictionary.values.offsets = copied(&from->offsets);
    to->values.val.dictionary.values.bytes = copied(&from->text);
  } else {
    to->values.tag = TELEMILL_PLUGIN_TYPES_VALUES_PACKED;
    to->values.val.packed = taken(&from->values);
  }
  from->rows = from->nulls = 0;
}

// ---- effects

typedef struct { effect_t effect; const char *id; size_t incident; bool decoy; } bend_t;
typedef struct { bend_t *ptr; size_t len; } bends_t;

static bends_t *bends, *active;
static size_t incidents;
static char **ids;
static bool any_active;

static bool same(plugin_string_t a, plugin_string_t b) { return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0; }

// Whether a target is another, or belongs to it directly or through others.
static bool is_below(size_t target, plugin_string_t name, int depth) {
  telemill_plugin_types_target_t *of = &planned.targets.ptr[target];
  if (same(of->name, name)) return true;
  for (size_t i = 0; depth < 16 && i < of->parents.len; i += 1) {
    if (same(of->parents.ptr[i], name)) return true;
    for (size_t other = 0; other < planned.targets.len; other += 1) {
      if (same(planned.targets.ptr[other].name, of->parents.ptr[i]) && is_below(other, name, depth + 1)) return true;
    }
  }
  return false;
}

static bool names(size_t target, plugin_string_t signal) {
  plugin_list_string_t list = planned.targets.ptr[target].signals;
  for (size_t i = 0; i < list.len; i += 1) {
    if (same(list.ptr[i], signal)) return true;
  }
  return false;
}

static int by_start(const void *a, const void *b) {
  const bend_t *one = a, *other = b;
  if (one->effect.start != other->effect.start) return one->effect.start < other->effect.start ? -1 : 1;
  return strcmp(one->id, other->id);
}

static void inject(const incident_t *incident) {
  char *id = tm_copied(incident->id);
  for (size_t i = 0; i < incidents; i += 1) {
    if (strcmp(ids[i], id) == 0) return;
  }
  *(char **)tm_grow((void **)&ids, &incidents, sizeof *ids) = id;
  for (size_t e = 0; e < incident->effects.len; e += 1) {
    const effect_t *effect = &incident->effects.ptr[e];
    for (size_t signal = 0; signal < planned.signals.len; signal += 1) {
      if (!same(planned.signals.ptr[signal].name, effect->signal)) continue;
      for (size_t target = 0; target < planned.targets.len; target += 1) {
        if (!names(target, effect->signal) || !is_below(target, effect->target, 0)) continue;
        bends_t *list = &bends[target * planned.signals.len + signal];
        *(bend_t *)GROW(*list) = (bend_t){*effect, id, incidents, incident->role == TELEMILL_PLUGIN_TYPES_ROLE_DECOY};
        qsort(list->ptr, list->len, sizeof(bend_t), by_start);
      }
    }
  }
}

static void prepare(tm_window window) {
  any_active = false;
  for (size_t pair = 0; pair < planned.targets.len * planned.signals.len; pair += 1) {
    free(active[pair].ptr);
    active[pair] = (bends_t){0};
    for (size_t i = 0; i < bends[pair].len; i += 1) {
      bend_t *bend = &bends[pair].ptr[i];
      if (bend->effect.start < window.end && window.start < bend->effect.end) {
        *(bend_t *)GROW(active[pair]) = *bend;
        any_active = true;
      }
    }
  }
}

tm_bent tm_at(size_t target, size_t signal, int64_t t) {
  if (!any_active) return (tm_bent){0};
  bends_t *list = &active[target * planned.signals.len + signal];
  return (tm_bent){list->ptr, list->len, t};
}

static double strength(const effect_t *e, int64_t t) {
  if (t < e->start || t >= e->end) return 0.0;
  if (t < e->full) return (double)(t - e->start) / (double)(e->full - e->start);
  return t < e->release ? 1.0 : (double)(e->end - t) / (double)(e->end - e->release);
}

// Base times all scales plus all offsets; over that each `set` in the order of their starts. `only` is an incident, or 0.
static double applied(tm_bent bent, double base, size_t only) {
  double scale = 1.0, offset = 0.0, keep = 1.0, put = 0.0;
  for (size_t i = 0; i < bent.count; i += 1) {
    const bend_t *bend = (const bend_t *)bent.first + i;
    double s = only && bend->incident != only ? 0.0 : strength(&bend->effect, bent.t);
    if (s <= 0.0) continue;
    if (bend->effect.operation == TELEMILL_PLUGIN_TYPES_OPERATION_SCALE) scale *= 1.0 + (bend->effect.value - 1.0) * s;
    else if (bend->effect.operation == TELEMILL_PLUGIN_TYPES_OPERATION_OFFSET) offset += bend->effect.value * s;
    else {
      keep *= 1.0 - s;
      put = put * (1.0 - s) + bend->effect.value * s;
    }
  }
  return (base * scale + offset) * keep + put;
}

double tm_apply(tm_bent bent, double base) { return bent.count ? applied(bent, base, 0) : base; }

const char *tm_blame(tm_bent bent, double base) {
  const char *most = NULL;
  double largest = 0.0;
  for (size_t i = 0; i < bent.count; i += 1) {
    const bend_t *bend = (const bend_t *)bent.first + i;
    if (bend->decoy) continue;
    double change = fabs(applied(bent, base, bend->incident) - base) / fmax(fabs(base), 5e-324);
    if (change > largest || (change > 0.0 && change == largest && strcmp(bend->id, most) < 0)) {
      largest = change;
      most = bend->id;
    }
  }
  return most;
}

// ---- state

typedef struct { void *place; size_t size; } piece_t;

static piece_t *pieces;
static size_t piece_count;

void tm_state(void *place, size_t size) {
  *(piece_t *)tm_grow((void **)&pieces, &piece_count, sizeof *pieces) = (piece_t){place, size};
}

// A state begins with it, so that one of another version and a damaged one are known.
static uint64_t sum_of(const uint8_t *bytes, size_t length) {
  uint64_t sum = tm_steps_of(length, tm_process(tm_about_this.name), tm_process(tm_about_this.version)).key;
  for (size_t i = 0; i < length; i += 1) sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
  return sum;
}

static bool put_back(const plugin_list_u8_t *state) {
  uint64_t sum;
  size_t length = 0;
  for (size_t i = 0; i < piece_count; i += 1) length += pieces[i].size;
  if (piece_count == 0 || state->len != sizeof sum + length) return false;
  const uint8_t *from = state->ptr + sizeof sum;
  memcpy(&sum, state->ptr, sizeof sum);
  if (sum != sum_of(from, length)) return false;
  for (size_t i = 0; i < piece_count; i += 1) {
    if (pieces[i].size) memcpy(pieces[i].place, from, pieces[i].size);
    from += pieces[i].size;
  }
  return true;
}

// ---- what the host calls

static void plan(plugin_string_t *config, tm_simulation *to) {
  memset(to, 0, sizeof *to);
  tm_config read = tm_config_of(config);
  tm_plan(read, to);
}

bool exports_telemill_plugin_generator_plan(plugin_string_t *config, tm_simulation *ret, telemill_plugin_types_error_t *err) {
  plan(config, ret);
  plugin_string_free(config);
  return !tm_failed(err);
}

bool exports_telemill_plugin_generator_open(plugin_string_t *config, tm_shard *shard, telemill_plugin_types_error_t *err) {
  plan(config, &planned);
  tables = calloc(planned.tables.len, sizeof *tables);
  for (size_t t = 0; t < planned.tables.len; t += 1) {
    telemill_plugin_types_list_field_t fields = planned.tables.ptr[t].fields;
    tables[t] = (tm_rows){calloc(fields.len, sizeof(column_t)), fields.len};
    for (size_t f = 0; f < fields.len; f += 1) {
      tables[t].columns[f].type = (enum tm_type)fields.ptr[f].data_type;
      tables[t].columns[f].nullable = fields.ptr[f].nullable;
    }
  }
  size_t pairs = planned.targets.len * planned.signals.len + 1;
  bends = calloc(pairs, sizeof *bends);
  active = calloc(pairs, sizeof *active);
  // An instance is opened once, a test's program may do it again.
  piece_count = 0;
  tm_open(tm_config_of(config), shard);
  plugin_string_free(config);
  return !tm_failed(err);
}

bool exports_telemill_plugin_generator_feed(telemill_plugin_types_batch_t *input, telemill_plugin_types_error_t *err) {
  telemill_plugin_types_batch_free(input);
  tm_fail("it declares no inputs");
  return !tm_failed(err);
}

bool exports_telemill_plugin_generator_inject(exports_telemill_plugin_generator_list_incident_t *list,
                                              telemill_plugin_types_error_t *err) {
  for (size_t i = 0; i < list->len; i += 1) inject(&list->ptr[i]);
  exports_telemill_plugin_generator_list_incident_free(list);
  return !tm_failed(err);
}

bool exports_telemill_plugin_generator_advance(tm_window *window, exports_telemill_plugin_generator_list_batch_t *ret,
                                               telemill_plugin_types_error_t *err) {
  memset(ret, 0, sizeof *ret);
  prepare(*window);
  tm_advance(*window);
  for (size_t t = 0; t < planned.tables.len; t += 1) {
    size_t rows = tables[t].columns[0].rows;
    for (size_t c = 0; c < tables[t].count; c += 1) {
      if (tables[t].columns[c].rows != rows) {
        tm_fail("table %zu: the column %zu has %zu values of %zu rows", t, c, tables[t].columns[c].rows, rows);
      }
    }
  }
  if (tm_failed(err)) return false;
  for (size_t t = 0; t < planned.tables.len; t += 1) {
    size_t rows = tables[t].columns[0].rows;
    if (rows == 0) continue;
    telemill_plugin_types_batch_t *batch = GROW(*ret);
    batch->table = (uint32_t)t;
    batch->rows = (uint32_t)rows;
    batch->columns = (telemill_plugin_types_list_column_t){
        calloc(tables[t].count, sizeof(telemill_plugin_types_column_t)), tables[t].count};
    for (size_t c = 0; c < tables[t].count; c += 1) finish(&tables[t].columns[c], &batch->columns.ptr[c]);
  }
  return true;
}

bool exports_telemill_plugin_generator_save(plugin_option_list_u8_t *ret, telemill_plugin_types_error_t *err) {
  (void)err;
  memset(ret, 0, sizeof *ret);
  if (piece_count == 0) return true;
  buffer state = {0};
  uint64_t sum = 0;
  add(&state, &sum, sizeof sum);
  for (size_t i = 0; i < piece_count; i += 1) add(&state, pieces[i].place, pieces[i].size);
  sum = sum_of(state.bytes + sizeof sum, state.length - sizeof sum);
  memcpy(state.bytes, &sum, sizeof sum);
  *ret = (plugin_option_list_u8_t){true, taken(&state)};
  return true;
}

bool exports_telemill_plugin_generator_restore(plugin_string_t *config, tm_shard *shard, plugin_list_u8_t *state,
                                               telemill_plugin_types_error_t *err) {
  bool good = exports_telemill_plugin_generator_open(config, shard, err);
  if (good && !put_back(state)) {
    err->tag = TELEMILL_PLUGIN_TYPES_ERROR_UNSUPPORTED_STATE;
    good = false;
  }
  plugin_list_u8_free(state);
  return good;
}
