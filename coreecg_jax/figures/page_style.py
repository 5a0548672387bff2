"""How a page looks: the reader's own type, dark on white, one column; figures are not cut by page ends."""

STYLE = """
:root { color-scheme: light; --ink: #1c1c1e; --quiet: #55585e; --line: #dcdee2; --wash: #f6f7f8;
  --accent: #0b5a8a; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: #fff; color: var(--ink); overflow-wrap: break-word;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, footer { max-width: 62.5rem; margin: 0 auto; padding: 1.5rem 1rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1.25rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
p, dl { margin: 0 0 1rem; }
p { max-width: 44rem; }
.lead { font-size: 1.1rem; }
.notice { display: inline-block; margin: 0 0 1rem; padding: .3rem .7rem; font-size: .9rem; color: #5f2a00;
  background: #fff4e8; border-left: 3px solid #d55e00; }
footer { padding-top: 0; }
a { color: var(--accent); text-underline-offset: .15em; }
nav ol { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: 0; padding: 0; list-style: none; }
nav a { display: inline-block; padding: .25rem 0; }
dl > div { display: grid; grid-template-columns: minmax(8rem, 14rem) minmax(0, 1fr); gap: 0 1rem;
  padding: .35rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); }
dd { margin: 0; }
figure { margin: 1.25rem 0 1.75rem; }
figcaption { color: var(--quiet); font-size: .92rem; max-width: 44rem; }
.picture figcaption { margin-top: .5rem; }
.table figcaption, .commands figcaption { margin-bottom: .4rem; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
img { display: block; max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .94rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem 1.1rem .4rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: .25rem; }
thead th { color: var(--quiet); font-weight: 600; border-bottom: 2px solid #b9bdc4; vertical-align: bottom;
  text-wrap: balance; }
tbody th { font-weight: 500; }
.number { text-align: right; }
tbody .number { white-space: nowrap; }
pre { margin: 0; padding: .8rem 1rem; background: var(--wash); border: 1px solid var(--line);
  border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .88rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { display: block; font: inherit; padding-left: 2ch; text-indent: -2ch; }
code span { display: inline-block; max-width: 100%; text-indent: 0; vertical-align: top; }
code + code { margin-top: .35rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1rem 2rem; margin: 1.25rem 0; }
.column { min-width: 0; }
.column :is(th, td) { padding-right: .75rem; }
.column > figure:first-of-type { margin-top: .5rem; }
@media (min-width: 80rem) {
  .columns { --width: min(94vw, 100rem); width: var(--width); margin-left: calc(50% - var(--width) / 2); }
}
@media (max-width: 40rem) {
  h1 { font-size: 1.5rem; }
  .lead { font-size: 1.05rem; }
  .picture img { min-width: var(--telephone); }
  dl > div { grid-template-columns: minmax(0, 1fr); }
}
@page { margin: 15mm; }
@page to-scale { size: A4 landscape; margin: 10mm; }
@media print {
  body { font-size: 10.5pt; }
  main, footer { max-width: none; padding: 0; }
  a { color: inherit; text-decoration: none; }
  nav, footer { display: none; }
  .columns { width: auto; margin-left: 0; }
  h2, h3, .table figcaption, .commands figcaption { break-after: avoid; }
  figure, tr, dl { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
  .notice { border: 1px solid #d55e00; }
  .picture img { min-width: 0; }
  .to-scale { margin: 0; }
  .to-scale, h2:has(+ .to-scale) { page: to-scale; }
  .to-scale img { width: var(--true-width); max-width: none; }
}
"""
