/** Numbers and bytes as people read them. */

const locale = document.documentElement.lang;
const percentFormat = new Intl.NumberFormat(locale, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const wholePercentFormat = new Intl.NumberFormat(locale, { style: "percent" });
const megabyteFormat = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const integerFormat = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });

/** A fraction with one decimal, for the bars. */
export const percent = (fraction) => percentFormat.format(fraction);

/** A fraction without decimals, for speech. */
export const wholePercent = (fraction) => wholePercentFormat.format(fraction);

/** A count of bytes in megabytes. */
export const megabytes = (bytes) => `${megabyteFormat.format(bytes / 1e6)} MB`;

/** Milliseconds, or seconds from one second on. */
export const duration = (ms) => (ms < 1000 ? `${integerFormat.format(ms)} ms` : `${megabyteFormat.format(ms / 1000)} s`);

/** A whole number. */
export const integer = (n) => integerFormat.format(n);
