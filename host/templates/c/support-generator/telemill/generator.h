// What a generator in C defines, and what it fills. Tables, columns, targets and signals are counted in the order in which
// they are declared.
#ifndef TELEMILL_GENERATOR_H
#define TELEMILL_GENERATOR_H

#include "telemill.h"

typedef exports_telemill_plugin_generator_shard_t tm_shard;
typedef exports_telemill_plugin_generator_simulation_t tm_simulation;

enum tm_type { TM_BOOLEAN, TM_INT32, TM_INT64, TM_FLOAT32, TM_FLOAT64, TM_TEXT, TM_DATE, TM_TIMESTAMP };

// Declaring what is simulated, within `tm_plan`. `unit` may be NULL. A field belongs to the table declared last, and a
// parent or attribute to the target declared last.
void tm_table(tm_simulation *to, const char *name, const char *summary, const char *time_field);
void tm_field(tm_simulation *to, const char *name, enum tm_type type, const char *summary, const char *unit, bool nullable);
// Which signals may move the last field, with commas between, "" for none: the conformance check holds the model to it.
void tm_moved_by(tm_simulation *to, const char *signals);
// The last field names the target that a row belongs to: effects on others leave the row as it is, and the check holds that.
void tm_owner(tm_simulation *to);
void tm_signal(tm_simulation *to, const char *name, const char *summary, const char *table, const char *column, bool inverse);
void tm_target(tm_simulation *to, const char *name, const char *signal);
void tm_target_signal(tm_simulation *to, const char *signal);
void tm_target_parent(tm_simulation *to, const char *parent);
void tm_target_attribute(tm_simulation *to, const char *name, const char *value);

// Whether this partition makes the rows of an entity or an event.
static inline bool tm_owns(const tm_shard *shard, uint64_t index) { return index % shard->partitions == shard->partition; }

// A column of the rows of this window: one value is pushed for each row, whatever its type. A dictionary key of a text
// column is got once and pushed often.
typedef struct tm_rows tm_rows;
void tm_push(tm_rows *rows, int column, double value);
void tm_push_whole(tm_rows *rows, int column, int64_t value);
void tm_push_text(tm_rows *rows, int column, const char *text);
void tm_push_key(tm_rows *rows, int column, uint32_t key);
void tm_push_null(tm_rows *rows, int column);
// The key of a text, which stays the same for as long as the instance lives.
uint32_t tm_key(tm_rows *rows, int column, const char *text);

// What acts on a signal of a target at an instant of the window that is asked for.
typedef struct { const void *first; size_t count; int64_t t; } tm_bent;
tm_bent tm_at(size_t target, size_t signal, int64_t t);
double tm_apply(tm_bent bent, double base);
// The id of the incident that changes a base value most, or NULL; decoys change values and are never to blame.
const char *tm_blame(tm_bent bent, double base);

// What is carried over a step: `tm_open` sets it to its start and then says, once for each piece of memory, where it lies from
// there on. Its bytes are saved, and are there again where a run goes on: numbers, no pointers.
void tm_state(void *place, size_t size);

// The plugin's own functions. `tm_rows_of(table)` are the rows to fill in `tm_advance`.
void tm_plan(tm_config config, tm_simulation *to);
void tm_open(tm_config config, const tm_shard *shard);
void tm_advance(tm_window window);
tm_rows *tm_rows_of(size_t table);

#endif
