// The incident model @name@: something goes wrong on any target now and then. Put your own troubles in its place.

#include <string.h>

#include "incident_model.h"

#define KIND "trouble"

const tm_about tm_about_this = {
    .name = "@name@",
    .version = "0.1.0",
    .summary = "Trouble now and then: a signal of a target grows for some minutes",
    .properties =
        "\"per_day\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000,\"default\":3,"
        "\"description\":\"Incidents in a UTC day\"},"
        "\"factor\":{\"type\":\"number\",\"minimum\":1,\"default\":3,"
        "\"description\":\"What the signal is multiplied with\"}",
    .examples = (const char *const[]){"often", "{\"per_day\":12}", NULL},
};

const char *const tm_kinds[] = {KIND, "A signal grows", NULL};

static uint64_t seed;
static int64_t per_day;
static double factor;
static tm_targets all;

void tm_open(tm_config config, uint64_t of, tm_targets targets) {
  seed = of;
  per_day = tm_integer(config, "per_day", 3);
  factor = tm_number(config, "factor", 3.0);
  all = targets;
}

static void trouble(tm_incidents *to, plugin_string_t id, const tm_target *target, int64_t start, int64_t end) {
  plugin_string_t title = tm_string("Trouble with %.*s", (int)target->name.len, target->name.ptr);
  tm_incident *incident = tm_add(to, id, KIND, title);
  char *signal = tm_copied(target->signals.ptr[0]);
  int64_t full = start + TM_MINUTE < end ? start + TM_MINUTE : end;
  tm_scale(incident, target, signal, factor, start, full, end, end + 5 * TM_MINUTE);
}

// The incidents of one UTC day follow from seed and date alone; days come in any order.
void tm_plan(tm_window day, tm_incidents *to) {
  size_t bendable = 0;
  for (size_t i = 0; i < all.count; i += 1) bendable += all.targets[i].signals.len > 0;
  int64_t number = tm_floor_div(day.start, TM_DAY);
  for (int64_t index = 0; bendable > 0 && index < per_day; index += 1) {
    tm_stream draw = tm_stream_of(seed, tm_process("trouble"), (uint64_t)index, number);
    size_t chosen = (size_t)tm_below(&draw, bendable);
    const tm_target *target = all.targets;
    while (target->signals.len == 0 || chosen-- > 0) target += 1;
    int64_t start = day.start + (int64_t)tm_below(&draw, 23 * 60) * TM_MINUTE;
    int64_t length = (5 + (int64_t)tm_below(&draw, 16)) * TM_MINUTE;
    trouble(to, tm_string("@name@-%lld-%lld", (long long)number, (long long)index), target, start, start + length);
  }
}

// One by hand, from an [[incident]] of a spec.
void tm_trigger(const char *kind, const char *name, tm_window window, tm_incidents *to) {
  for (size_t i = 0; i < all.count && strcmp(kind, KIND) == 0; i += 1) {
    const tm_target *target = &all.targets[i];
    if (target->signals.len > 0 && tm_is(target->name, name)) {
      trouble(to, tm_string("@name@-hand-%s-%lld", name, (long long)window.start), target, window.start, window.end);
      return;
    }
  }
  tm_fail("%s on %s: there is " KIND ", on a target with a signal", kind, name);
}
