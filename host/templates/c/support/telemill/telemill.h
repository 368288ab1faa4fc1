// What a plugin in C needs, of whatever kind. The files in this folder belong to Telemill: change your own under src/, and
// delete this folder to get those of a newer `telemill` with the next build.
#ifndef TELEMILL_H
#define TELEMILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin.h"

// Times are microseconds since 1970-01-01T00:00:00Z.
#define TM_MILLISECOND INT64_C(1000)
#define TM_SECOND INT64_C(1000000)
#define TM_MINUTE (60 * TM_SECOND)
#define TM_HOUR (60 * TM_MINUTE)
#define TM_DAY (24 * TM_HOUR)

typedef telemill_plugin_types_window_t tm_window;

// The hour of the day in UTC, with its fraction.
double tm_hour_of_day(int64_t t);
// Rounds towards negative infinity, as steps before 1970 want it.
int64_t tm_floor_div(int64_t a, int64_t b);

// What a plugin says of itself; every plugin defines `tm_about_this`.
typedef struct {
  const char *name, *version, *summary;
  // The "properties" of a JSON Schema 2020-12, each with a default.
  const char *properties;
  // Pairs of a name and a configuration (JSON), ended by NULL; NULL for none.
  const char *const *examples;
} tm_about;
extern const tm_about tm_about_this;

// The configuration, whose properties are numbers, booleans or texts. What is not there has the value given.
typedef struct { const char *json; size_t length; } tm_config;
double tm_number(tm_config config, const char *key, double otherwise);
int64_t tm_integer(tm_config config, const char *key, int64_t otherwise);

// The call ends with this error when the plugin's function returns; the first one counts.
void tm_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
// A word beside the run.
void tm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A text that is handed to the host, which frees it.
plugin_string_t tm_string(const char *format, ...) __attribute__((format(printf, 1, 2)));
plugin_option_string_t tm_maybe(const char *text);
// A text of the host with the zero at its end that C wants; free it.
char *tm_copied(plugin_string_t text);
bool tm_is(plugin_string_t text, const char *other);
// Makes room for one more in a list of `size` bytes each; the place is zeroed.
void *tm_grow(void **list, size_t *length, size_t size);

// Keyed randomness: every draw follows from (seed, process, entity, step) and from nothing that came before it. The same
// key gives the same 64 bits as in Telemill's SDK for Rust.
typedef struct { uint64_t key; } tm_steps;
typedef struct { uint64_t low, high; } tm_stream;
// The name of something random ("arrivals", "noise") as a part of keys.
uint64_t tm_process(const char *name);
tm_steps tm_steps_of(uint64_t seed, uint64_t process, uint64_t entity);
uint64_t tm_bits(tm_steps steps, int64_t step);
double tm_unit(tm_steps steps, int64_t step);
double tm_normal(tm_steps steps, int64_t step);
// Never keep a stream from a step to the next: make one for each entity and step.
tm_stream tm_stream_of(uint64_t seed, uint64_t process, uint64_t entity, int64_t step);
uint64_t tm_next(tm_stream *stream);
double tm_next_unit(tm_stream *stream);
uint64_t tm_below(tm_stream *stream, uint64_t n);
double tm_between(tm_stream *stream, double low, double high);
double tm_next_normal(tm_stream *stream);
double tm_exponential(tm_stream *stream, double mean);
uint64_t tm_poisson(tm_stream *stream, double mean);

// Noise with a memory (Ornstein-Uhlenbeck, mean 0, variance 1): `memory` is the number of steps in which correlation falls to
// 1/e. The value at a step depends on key and step alone; asking for one step after another is cheap.
typedef struct {
  tm_steps draws, starts;
  double keep, spread, value;
  int64_t block, current, step;
} tm_noise;
tm_noise tm_noise_of(uint64_t seed, uint64_t process, uint64_t entity, double memory);
double tm_noise_at(tm_noise *noise, int64_t step);

// For the glue of each kind: whether the call failed, and the error to return.
bool tm_failed(telemill_plugin_types_error_t *error);
tm_config tm_config_of(plugin_string_t *json);

#endif
