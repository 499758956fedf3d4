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
const scoreFormat = new Intl.NumberFormat(locale, { minimumSignificantDigits: 5, maximumSignificantDigits: 5 });

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

/** A rejection score; some of them differ only from the third digit on. */
export const score = (value) => scoreFormat.format(value);

/** Numbers with two decimals, or as many more as it takes to tell them apart, up to six. */
export function apart(...values) {
  for (let digits = 2; ; digits += 1) {
    // Adding zero makes a zero of minus zero.
    const shown = values.map((value) => (value + 0).toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    if (digits === 6 || new Set(shown).size === new Set(values).size) return shown;
  }
}

/** Foreign text inside a sentence, kept from turning the reading direction of what follows. */
export const isolate = (text) => `\u2068${text}\u2069`;
