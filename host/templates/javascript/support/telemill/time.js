// Times are plain numbers: microseconds since 1970-01-01T00:00:00Z.

export const MILLISECOND = 1e3;
export const SECOND = 1e6;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The instants of a window on the grid of steps, with each step's index counted from 1970. */
export function* stepsOf(window, step) {
  for (let t = Math.ceil(window.start / step) * step; t < window.end; t += step) yield { t, step: Math.round(t / step) };
}

/** The hour of the day in UTC, with its fraction. */
export const hourOfDay = (t) => (((t % DAY) + DAY) % DAY) / HOUR;

/** The day of the week in UTC, 0 for Monday. */
export const weekday = (t) => (((Math.floor(t / DAY) + 3) % 7) + 7) % 7;
