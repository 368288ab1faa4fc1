#include "telemill.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- time

int64_t tm_floor_div(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

double tm_hour_of_day(int64_t t) { return (double)(t - tm_floor_div(t, TM_DAY) * TM_DAY) / (double)TM_HOUR; }

// ---- texts and errors

static plugin_string_t formatted(const char *format, va_list arguments) {
  char *text = NULL;
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  text = malloc((size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return (plugin_string_t){(uint8_t *)text, (size_t)length};
}

plugin_string_t tm_string(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  plugin_string_t text = formatted(format, arguments);
  va_end(arguments);
  return text;
}

plugin_option_string_t tm_maybe(const char *text) {
  return text ? (plugin_option_string_t){true, tm_string("%s", text)} : (plugin_option_string_t){0};
}

char *tm_copied(plugin_string_t text) {
  char *copy = malloc(text.len + 1);
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = 0;
  return copy;
}

bool tm_is(plugin_string_t text, const char *other) {
  return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

void *tm_grow(void **list, size_t *length, size_t size) {
  // Doubles whenever the length is a power of two.
  if ((*length & (*length - 1)) == 0) *list = realloc(*list, (*length ? *length * 2 : 1) * size);
  void *place = (char *)*list + *length * size;
  memset(place, 0, size);
  *length += 1;
  return place;
}

static plugin_string_t failure;
static bool has_failed;

void tm_fail(const char *format, ...) {
  if (has_failed) return;
  va_list arguments;
  va_start(arguments, format);
  failure = formatted(format, arguments);
  va_end(arguments);
  has_failed = true;
}

void tm_log(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  plugin_string_t text = formatted(format, arguments);
  va_end(arguments);
  telemill_plugin_host_log(TELEMILL_PLUGIN_HOST_LEVEL_INFO, &text);
  free(text.ptr);
}

bool tm_failed(telemill_plugin_types_error_t *error) {
  if (!has_failed) return false;
  error->tag = TELEMILL_PLUGIN_TYPES_ERROR_FAILED;
  error->val.failed = failure;
  has_failed = false;
  return true;
}

// ---- configuration

tm_config tm_config_of(plugin_string_t *json) { return (tm_config){tm_copied(*json), json->len}; }

// The text behind `"key":` at the top of the object; the host has checked that it is JSON and what the schema wants.
static const char *value_of(tm_config config, const char *key) {
  size_t length = strlen(key);
  int depth = 0;
  for (const char *at = config.json; *at; at += 1) {
    if (*at == '{' || *at == '[') depth += 1;
    if (*at == '}' || *at == ']') depth -= 1;
    if (*at != '"') continue;
    const char *start = at + 1;
    for (at = start; *at && *at != '"'; at += 1) {
      if (*at == '\\' && at[1]) at += 1;
    }
    if (!*at) return NULL;
    const char *behind = at + 1;
    while (*behind == ' ' || *behind == '\n') behind += 1;
    if (depth == 1 && *behind == ':' && (size_t)(at - start) == length && memcmp(start, key, length) == 0) return behind + 1;
  }
  return NULL;
}

double tm_number(tm_config config, const char *key, double otherwise) {
  const char *text = value_of(config, key);
  if (!text) return otherwise;
  while (*text == ' ') text += 1;
  if (strncmp(text, "true", 4) == 0) return 1;
  char *end;
  double value = strtod(text, &end);
  return end == text ? (strncmp(text, "false", 5) == 0 ? 0 : otherwise) : value;
}

int64_t tm_integer(tm_config config, const char *key, int64_t otherwise) {
  return (int64_t)tm_number(config, key, (double)otherwise);
}

// ---- what is written to stderr and stdout

#ifdef __wasm__
// Telemill's place in WASI's (telemill/no-wasi.wat) makes lines of it here, for the host's log.
__attribute__((import_module("wasi_snapshot_preview1"), import_name("telemill_line"))) void lend_line(char *place, size_t room);

__attribute__((constructor)) static void lend(void) {
  static char line[1024];
  lend_line(line, sizeof line);
}
#endif

// ---- what every plugin exports

void exports_telemill_plugin_about_describe(exports_telemill_plugin_about_descriptor_t *ret) {
  const tm_about *about = &tm_about_this;
  memset(ret, 0, sizeof *ret);
  ret->name = tm_string("%s", about->name);
  ret->version = tm_string("%s", about->version);
  ret->summary = tm_string("%s", about->summary);
  ret->documentation = tm_string("%s", about->summary);
  ret->config_schema =
      tm_string("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{%s}}", about->properties);
  for (const char *const *example = about->examples; example && *example; example += 2) {
    exports_telemill_plugin_about_example_t *next =
        tm_grow((void **)&ret->examples.ptr, &ret->examples.len, sizeof *next);
    next->name = tm_string("%s", example[0]);
    next->config = tm_string("%s", example[1]);
  }
}

void exports_telemill_plugin_about_check(plugin_string_t *config, exports_telemill_plugin_about_list_problem_t *ret) {
  plugin_string_free(config);
  memset(ret, 0, sizeof *ret);
}

// ---- randomness

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static double unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

static double normal_quantile(double p) {
  // Acklam's rational approximation, relative error below 1.2e-9.
  if (p > 0.97575) return -normal_quantile(1.0 - p);
  if (p < 0.02425) {
    double q = sqrt(-2.0 * log(p > 0x1p-54 ? p : 0x1p-54));
    return (((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q +
             4.374664141464968) * q + 2.938163982698783) /
           ((((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1.0);
  }
  double q = p - 0.5, r = q * q;
  return q * (((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
               30.66479806614716) * r + 2.506628277459239) /
         (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
           13.28068155288572) * r + 1.0);
}

uint64_t tm_process(const char *name) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (; *name; name += 1) hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
  return mix(hash);
}

tm_steps tm_steps_of(uint64_t seed, uint64_t process, uint64_t entity) {
  uint64_t key = mix((seed + GOLDEN) ^ process);
  return (tm_steps){mix((key + entity * GOLDEN) ^ UINT64_C(0x6a09e667f3bcc909))};
}

uint64_t tm_bits(tm_steps steps, int64_t step) {
  return mix((steps.key + (uint64_t)step * GOLDEN) ^ UINT64_C(0xbb67ae8584caa73b));
}

double tm_unit(tm_steps steps, int64_t step) { return unit(tm_bits(steps, step)); }
double tm_normal(tm_steps steps, int64_t step) { return normal_quantile(tm_unit(steps, step)); }

tm_stream tm_stream_of(uint64_t seed, uint64_t process, uint64_t entity, int64_t step) {
  uint64_t key = tm_bits(tm_steps_of(seed, process, entity), step);
  return (tm_stream){mix(key + GOLDEN), mix(key + 2 * GOLDEN)};
}

static uint64_t rotated(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

uint64_t tm_next(tm_stream *s) {
  // Xoroshiro128++.
  uint64_t low = s->low, high = s->high, out = rotated(low + high, 17) + low;
  high ^= low;
  s->low = rotated(low, 49) ^ high ^ (high << 21);
  s->high = rotated(high, 28);
  return out;
}

double tm_next_unit(tm_stream *s) { return unit(tm_next(s)); }
uint64_t tm_below(tm_stream *s, uint64_t n) { return (uint64_t)(((unsigned __int128)tm_next(s) * n) >> 64); }
double tm_between(tm_stream *s, double low, double high) { return low + (high - low) * tm_next_unit(s); }
double tm_next_normal(tm_stream *s) { return normal_quantile(tm_next_unit(s)); }
double tm_exponential(tm_stream *s, double mean) { return -mean * log(1.0 - tm_next_unit(s)); }

uint64_t tm_poisson(tm_stream *s, double mean) {
  if (mean > 30.0) {
    double drawn = round(mean + sqrt(mean) * tm_next_normal(s));
    return drawn > 0.0 ? (uint64_t)drawn : 0;
  }
  uint64_t count = 0;
  double limit = exp(-mean);
  for (double product = tm_next_unit(s); product > limit; product *= tm_next_unit(s)) count += 1;
  return count;
}

tm_noise tm_noise_of(uint64_t seed, uint64_t process, uint64_t entity, double memory) {
  double keep = exp(-1.0 / memory);
  double block = ceil(memory * 7.0);
  return (tm_noise){
      .draws = tm_steps_of(seed, process, entity),
      .starts = tm_steps_of(seed, process ^ GOLDEN, entity),
      .keep = keep,
      .spread = sqrt(1.0 - keep * keep),
      .block = block < 1.0 ? 1 : (int64_t)block,
      .current = INT64_MIN,
  };
}

double tm_noise_at(tm_noise *noise, int64_t step) {
  int64_t block = tm_floor_div(step, noise->block);
  if (block != noise->current || step < noise->step) {
    noise->current = block;
    noise->step = (block - 1) * noise->block;
    noise->value = tm_normal(noise->starts, noise->step);
  }
  while (noise->step < step) {
    noise->step += 1;
    noise->value = noise->keep * noise->value + noise->spread * tm_normal(noise->draws, noise->step);
  }
  return noise->value;
}
