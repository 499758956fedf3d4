/** Numbers and bytes as people read them, in the language that is shown. */
import { language } from "./i18n.js";

/** A number's text by `options`; the formats are made once for each language. */
function formatter(options) {
  const made = new Map();
  return (value) => {
    const code = language();
    if (!made.has(code)) made.set(code, new Intl.NumberFormat(code, options));
    return made.get(code).format(value);
  };
}

const oneDecimal = formatter({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
/** How many per second. */
export const rate = oneDecimal;

/** A whole number. */
export const integer = formatter({ maximumFractionDigits: 0 });

/** A fraction with one decimal, for the bars. */
export const percent = formatter({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A fraction without decimals, for speech. */
export const wholePercent = formatter({ style: "percent" });

/** A count of bytes in megabytes. */
export const megabytes = (bytes) => `${oneDecimal(bytes / 1e6)} MB`;

/** Milliseconds, or seconds from one second on. */
export const duration = (ms) => (ms < 1000 ? `${integer(ms)} ms` : `${oneDecimal(ms / 1000)} s`);

/** A rejection score; some of them differ only from the third digit on. */
export const score = formatter({ minimumSignificantDigits: 5, maximumSignificantDigits: 5 });

/** A cosine. */
export const cosine = formatter({ minimumFractionDigits: 3, maximumFractionDigits: 3 });

/** Numbers with two decimals, or as many more as it takes to tell them apart, up to six. */
export function apart(...values) {
  for (let digits = 2; ; digits += 1) {
    // Adding zero makes a zero of minus zero.
    const shown = values.map((value) => (value + 0).toLocaleString(language(), { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    if (digits === 6 || new Set(shown).size === new Set(values).size) return shown;
  }
}

/** Foreign text inside a sentence, kept from turning the reading direction of what follows. */
export const isolate = (text) => `\u2068${text}\u2069`;
