// The generator water-meters: what the meters of a town's households count. A household draws water when its people are up;
// a leak adds a little all the time, which shows at night first.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "generator.h"

#define STEP (15 * TM_MINUTE)

const tm_about tm_about_this = {
    .name = "water-meters",
    .version = "0.1.0",
    .summary = "Water meters of households: litres in each quarter of an hour, and who leaks",
    .properties =
        "\"households\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"default\":500,"
        "\"description\":\"Households with a meter\"},"
        "\"litres_per_day\":{\"type\":\"number\",\"minimum\":1,\"maximum\":10000,\"default\":320,"
        "\"description\":\"What a household draws on average\"}",
    .examples = (const char *const[]){"a street", "{\"households\":12}", NULL},
};

enum { AT, METER, LITRES, TOTAL, INCIDENT_ID };

static void name_of(char *name, size_t size, size_t index) { snprintf(name, size, "meter-%05zu", index + 1); }

void tm_plan(tm_config config, tm_simulation *to) {
  to->step = STEP;
  tm_table(to, "consumption", "What one meter counted in a quarter of an hour", "at");
  tm_field(to, "at", TM_TIMESTAMP, "The start of the quarter", NULL, false);
  tm_moved_by(to, "");
  tm_field(to, "meter", TM_TEXT, "Which meter", NULL, false);
  tm_moved_by(to, "");
  tm_field(to, "litres", TM_FLOAT64, "What ran through it", "L", false);
  tm_field(to, "total", TM_FLOAT64, "What it has counted since the run began", "L", false);
  tm_field(to, "incident_id", TM_TEXT, "The incident that bent it", NULL, true);
  tm_signal(to, "flow", "What runs through a meter", "consumption", "litres", false);
  for (int64_t index = 0; index < tm_integer(config, "households", 500); index += 1) {
    char name[32];
    name_of(name, sizeof name, (size_t)index);
    tm_target(to, name, "flow");
    tm_target_parent(to, "town");
    tm_target_attribute(to, "role", "meter");
  }
  tm_target(to, "town", "flow");
  tm_target_attribute(to, "role", "system");
}

typedef struct {
  size_t index;
  uint32_t key;
  double litres_per_day, up;
  tm_steps draws;
} household_t;

static household_t *households;
static size_t count;
// What each meter has counted, which is carried from quarter to quarter.
static double *totals;

void tm_open(tm_config config, const tm_shard *shard) {
  count = 0;
  double litres = tm_number(config, "litres_per_day", 320.0);
  for (int64_t index = 0; index < tm_integer(config, "households", 500); index += 1) {
    if (!tm_owns(shard, (uint64_t)index)) continue;
    char name[32];
    name_of(name, sizeof name, (size_t)index);
    tm_stream draw = tm_stream_of(shard->seed, tm_process("household"), (uint64_t)index, 0);
    household_t *household = tm_grow((void **)&households, &count, sizeof *household);
    household->index = (size_t)index;
    household->key = tm_key(tm_rows_of(0), METER, name);
    // Some households are one person, some are five.
    household->litres_per_day = litres * exp(0.5 * tm_next_normal(&draw) - 0.125);
    household->up = tm_between(&draw, 5.5, 8.5);
    household->draws = tm_steps_of(shard->seed, tm_process("taps"), (uint64_t)index);
  }
  totals = calloc(count, sizeof *totals);
  tm_state(totals, count * sizeof *totals);
}

// The share of a day's water that is drawn in the quarter of this hour, for people who are up at `up`: two peaks and a day.
static double share(double hour, double up) {
  double morning = (hour - up - 0.7) / 0.8, evening = (hour - up - 12.5) / 1.8;
  bool awake = hour >= up && hour < up + 16.5;
  return ((awake ? 0.55 : 0.03) + 3.2 * exp(-morning * morning) + 1.6 * exp(-evening * evening)) / 80.0;
}

void tm_advance(tm_window window) {
  tm_rows *rows = tm_rows_of(0);
  for (int64_t t = window.start; t < window.end; t += STEP) {
    double hour = tm_hour_of_day(t);
    for (size_t i = 0; i < count; i += 1) {
      household_t *household = &households[i];
      double mean = household->litres_per_day * share(hour, household->up);
      // Taps are open or not: many quarters have nothing, some have much.
      double open = tm_unit(household->draws, tm_floor_div(t, STEP));
      double base = mean * -log(1.0 - open);
      tm_bent flow = tm_at(household->index, 0, t);
      tm_push_whole(rows, AT, t);
      tm_push_key(rows, METER, household->key);
      double litres = tm_apply(flow, base);
      totals[i] += litres;
      tm_push(rows, LITRES, litres);
      tm_push(rows, TOTAL, totals[i]);
      tm_push_text(rows, INCIDENT_ID, tm_blame(flow, base));
    }
  }
}
