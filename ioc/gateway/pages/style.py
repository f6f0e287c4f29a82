"""The style sheet of the departments' page, and the headers that keep everything else out."""

from collections.abc import Mapping

__all__ = ["SECURITY_HEADERS", "STYLE"]

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a form's Origin would be null, and could not be checked
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# Colours: text on its ground is 4.5 : 1 or more in both schemes (WCAG AA).
STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --ground: #fff; --soft: #555; --line: #b8b8b8; --card: #f6f7f8;
  --good: #1b5e20; --bad: #b3140f; --none: #4a5560; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --ground: #16181a; --soft: #b5b9bd; --line: #555b61;
  --card: #202326; --good: #7fd18a; --bad: #ff9a90; --none: #b5b9bd; --link: #9cc2ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; color: var(--text); background: var(--ground);
  margin: 0 auto; max-width: 60rem; padding: .75rem 1rem 3rem; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: .5rem 1rem; flex-wrap: wrap;
  border-bottom: 1px solid var(--line); margin-bottom: 1rem; }
header nav { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
h1 { font-size: 1.3rem; margin: .25rem 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; } a { color: var(--link); } .soft { color: var(--soft); font-size: .92rem; }
a, button, summary, textarea, input { outline-offset: 2px; }
:focus-visible { outline: 3px solid var(--link); }
.skip { position: absolute; left: -100rem; } .skip:focus { position: static; }
article { border: 1px solid var(--line); border-left: 6px solid var(--none); border-radius: 8px; margin: .75rem 0;
  background: var(--card); padding: .75rem; }
article.good { border-left-color: var(--good); } article.bad { border-left-color: var(--bad); }
.tag { font-size: .88rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem;
  white-space: nowrap; color: var(--none); }
.good > .tag, .tag.good { color: var(--good); } .bad > .tag, .tag.bad { color: var(--bad); }
.scores { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .5rem; margin: .5rem 0;
  padding: 0; list-style: none; }
.scores li { border: 1px solid var(--line); border-radius: 6px; padding: .4rem .6rem; background: var(--ground); }
.scores b { display: block; font-size: 1.25rem; }
.notice { border: 1px solid var(--line); border-left: 6px solid var(--none); border-radius: 8px;
  padding: .5rem .75rem; }
.notice.bad { border-left-color: var(--bad); } .notice.good { border-left-color: var(--good); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: .25rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--ground); font-size: .88rem;
  border: 1px solid var(--line); border-radius: 6px; padding: .5rem; margin: .4rem 0; }
code { overflow-wrap: anywhere; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .75rem .2rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th, .word, .word code { overflow-wrap: normal; }
@media (max-width: 30rem) { td, th { padding-right: .4rem; font-size: .92rem; } }
label { display: block; font-weight: 600; margin-top: .5rem; }
input, textarea { width: 100%; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--soft);
  border-radius: 6px; padding: .5rem; }
textarea { font: .88rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; min-height: 12rem; }
button { font: inherit; padding: .6rem 1rem; border: 1px solid var(--soft); border-radius: 8px; margin: .5rem .5rem 0 0;
  color: inherit; background: var(--ground); cursor: pointer; min-height: 2.75rem; }
header button { border: 0; padding: 0; margin: 0; color: var(--link); text-decoration: underline; background: none; }
summary { cursor: pointer; padding: .4rem 0; color: var(--link); }
"""
