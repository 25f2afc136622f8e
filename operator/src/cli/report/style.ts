/** How the page of a report looks: light or dark as its reader has it, and on paper. */

/** Of the palette by Okabe and Ito, which those who see fewer colours can tell apart; in the dark lighter ones of the same. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --rule: #d5dae0; --band: #f3f5f8; --band-odd: #e9edf2; --card: #f6f8fa;
  --good: #1a7f37; --bad: #b42318; --wait: #8a5a00;
  --go: #4a7ebb; --move: #7a4fb5; --hold: #8b949e; --undo: #c8372d; --now: #b87900;
  --z0: #0067a3; --z1: #b34a00; --z2: #007a5a; --z3: #a2458b; --z4: #7d6500; --z5: #33709b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1318; --ink: #e6eaef; --soft: #9aa5b1; --rule: #333c47; --band: #161c24; --band-odd: #1d2530; --card: #171d25;
    --good: #56d364; --bad: #ff7b72; --wait: #e3b341;
    --go: #6ea8e8; --move: #b792f0; --hold: #7d8894; --undo: #ff7b72; --now: #e3b341;
    --z0: #58b4f0; --z1: #f29046; --z2: #3fd0a4; --z3: #e39bd0; --z4: #e0c64a; --z5: #9ccbee;
  }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --band: #f5f5f5; --band-odd: #ececec; --card: #f7f7f7;
    --good: #1a7f37; --bad: #b42318; --wait: #8a5a00;
    --go: #4a7ebb; --move: #7a4fb5; --hold: #8b949e; --undo: #c8372d; --now: #b87900;
    --z0: #0067a3; --z1: #b34a00; --z2: #007a5a; --z3: #a2458b; --z4: #7d6500; --z5: #33709b;
  }
  main { max-width: none; padding: 0; }
  section, figure, .tiles, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
@page { margin: 15mm; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
main { max-width: 940px; margin: 0 auto; padding: 32px 24px 48px; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 0.2rem 0 0.6rem; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.5rem; }
p { margin: 0.5rem 0; overflow-wrap: anywhere; }
.kicker { color: var(--soft); margin: 0; }
.badge { display: inline-block; border: 1.5px solid currentColor; border-radius: 999px; padding: 0 0.7em; font-size: 0.9rem; font-weight: 600; line-height: 1.7; }
.good { color: var(--good); } .bad { color: var(--bad); } .wait { color: var(--wait); }
.lead { font-size: 1.05rem; }
.note, footer { color: var(--soft); font-size: 0.9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 1.2rem 0 0; padding: 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; }
.tile dt { color: var(--soft); font-size: 0.85rem; line-height: 1.3; }
.tile dd { margin: 4px 0 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
figure { margin: 0.8rem 0 0; }
.scroll { overflow-x: auto; }
.scroll svg { min-width: 640px; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
svg text { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .tick, svg .unit, svg .band-name { fill: var(--soft); }
.grid { stroke: var(--rule); stroke-width: 1; } .axis { stroke: var(--soft); stroke-width: 1; }
.band { fill: var(--band); } .band.odd { fill: var(--band-odd); }
.mark { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 3 3; }
.bar.go { fill: var(--go); } .bar.move { fill: var(--move); } .bar.hold { fill: var(--hold); } .bar.undo { fill: var(--undo); } .bar.now { fill: var(--now); }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; } .leader { fill: none; stroke-width: 1; }
svg text.label { font-weight: 600; }
path.zone-0 { stroke: var(--z0); } path.zone-1 { stroke: var(--z1); } path.zone-2 { stroke: var(--z2); }
path.zone-3 { stroke: var(--z3); } path.zone-4 { stroke: var(--z4); } path.zone-5 { stroke: var(--z5); }
path.total { stroke: var(--soft); }
.line.zone-1 { stroke-dasharray: 9 3; } .line.zone-2 { stroke-dasharray: 3 2.5; } .line.zone-3 { stroke-dasharray: 12 3 3 3; }
.line.zone-4 { stroke-dasharray: 6 6; } .line.zone-5 { stroke-dasharray: 1.5 4; } .line.total { stroke-width: 1.4; stroke-dasharray: 2 4; }
svg text.zone-0 { fill: var(--z0); } svg text.zone-1 { fill: var(--z1); } svg text.zone-2 { fill: var(--z2); }
svg text.zone-3 { fill: var(--z3); } svg text.zone-4 { fill: var(--z4); } svg text.zone-5 { fill: var(--z5); } svg text.total { fill: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; margin: 0.6rem 0; }
th, td { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; } tbody th { font-weight: 400; width: 45%; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
thead .number { white-space: normal; }
details { margin: 0.8rem 0; } summary { cursor: pointer; color: var(--soft); }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; padding: 0; margin: 0.4rem 0 0; color: var(--soft); font-size: 0.85rem; }
.key svg { display: inline-block; width: 14px; height: 12px; margin-right: 6px; vertical-align: -1px; }
`;
