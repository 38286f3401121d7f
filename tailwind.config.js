// The design's tokens. A colour has a name for its job, not for its hue, and a
// value for light and for dark; every pair that carries text has a contrast of
// 4.5:1 or more, and every edge that one must see has 3:1 (WCAG 2.2, AA).
import plugin from "tailwindcss/plugin";

const colors = {
  //             light      dark
  canvas: ["#fafafa", "#0d0e11"], // behind everything
  surface: ["#ffffff", "#15171b"], // cards, tables, dialogs
  sunken: ["#f3f4f6", "#1c1f24"], // code, hover, segments
  line: ["#e4e6ea", "#282c33"], // quiet separators
  edge: ["#868d99", "#717986"], // edges of fields and switches
  ink: ["#16181d", "#eceef2"], // text
  quiet: ["#5b6270", "#9ba3b0"], // secondary text
  accent: ["#2f4fd8", "#93a9ff"], // links, focus, the current place
  "accent-soft": ["#eef1fe", "#1d2440"],
  primary: ["#1b1d23", "#eceef2"], // the main button
  "primary-ink": ["#ffffff", "#14161a"],
  "primary-hover": ["#33363f", "#ffffff"],
  ok: ["#146c43", "#5fd39a"],
  "ok-soft": ["#e8f6ee", "#12291e"],
  warn: ["#8a5200", "#f0b65a"],
  "warn-soft": ["#fef5e4", "#2c2210"],
  danger: ["#b3261e", "#ff948b"],
  "danger-soft": ["#fdeeec", "#331917"],
  "danger-solid": ["#b3261e", "#c7362c"],
  backdrop: ["rgb(22 24 29 / 0.4)", "rgb(0 0 0 / 0.6)"],
};

const tone = (i) => Object.fromEntries(Object.entries(colors).map(([name, pair]) => [`--${name}`, pair[i]]));

export default {
  theme: {
    colors: Object.fromEntries(Object.keys(colors).map((name) => [name, `var(--${name})`])),
    fontFamily: {
      sans: ["system-ui", "-apple-system", '"Segoe UI"', "Roboto", '"Helvetica Neue"', '"Noto Sans"', "sans-serif"],
      mono: ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", '"Liberation Mono"', "monospace"],
    },
    // A scale of about 1.2 on 14 px, each size with its own line height.
    fontSize: {
      xs: ["0.75rem", "1rem"],
      sm: ["0.8125rem", "1.25rem"],
      base: ["0.875rem", "1.375rem"],
      lg: ["1rem", "1.5rem"],
      xl: ["1.1875rem", "1.625rem"],
      "2xl": ["1.5rem", "2rem"],
    },
    borderRadius: { sm: "4px", md: "6px", lg: "10px", full: "9999px" },
    screens: { md: "48rem", lg: "64rem" },
  },
  plugins: [
    plugin(({ addBase }) => {
      addBase({
        ":root": { "color-scheme": "light", ...tone(0) },
        // Paper is always light.
        "@media screen and (prefers-color-scheme: dark)": {
          ':root:not([data-theme="light"])': { "color-scheme": "dark", ...tone(1) },
        },
        "@media screen": {
          ':root[data-theme="dark"]': { "color-scheme": "dark", ...tone(1) },
        },
      });
    }),
  ],
};
