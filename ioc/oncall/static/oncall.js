"use strict";
// Open pages: live regions, ages that count on, the bell, and the keyboard. Without it every page works all the same.
(() => {
  const config = JSON.parse(document.body.dataset.config);
  const STALE_AFTER_MS = 30000;
  let clockAheadMs = config.now - Date.now();
  let heardAt = Date.now();
  let opened = null;
  let isMuted = config.muted;
  let audio = null;
  const $ = (id) => document.getElementById(id);
  const now = () => Date.now() + clockAheadMs;

  // ---- ages ---------------------------------------------------------------------------------------------------------
  function age(seconds) {
    const [s, m, h, d] = config.units;
    if (seconds < 60) return `${seconds} ${s}`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)} ${m}`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} ${h}`;
    return `${Math.floor(seconds / 86400)} ${d}`;
  }

  function count() {
    for (const element of document.querySelectorAll("time[data-since]")) {
      const seconds = Math.max(0, Math.floor(now() / 1000 - Number(element.dataset.since)));
      const text = age(seconds);
      if (element.textContent !== text) element.textContent = text;
      const after = element.nextElementSibling;
      const isTold = after !== null && after.classList.contains("late");
      if (element.dataset.limit && seconds > Number(element.dataset.limit) && !isTold) {
        const late = document.createElement("span");
        late.className = "late";
        late.textContent = ` (${config.words.late})`;
        element.after(late);
      }
    }
    const silentMs = Date.now() - heardAt;
    const stale = $("stale");
    stale.hidden = !config.live || silentMs < STALE_AFTER_MS;
    if (!stale.hidden) stale.textContent = `⚠ ${config.words.stale.replace("{age}", age(Math.floor(silentMs / 1000)))}`;
  }

  // ---- live regions -------------------------------------------------------------------------------------------------
  function isInUse(region) {
    const focused = document.activeElement;
    const fields = "input:not([type=hidden]), textarea, select";
    if (focused && region.contains(focused) && focused.matches(fields)) return true;
    return [...region.querySelectorAll("textarea, input[type=radio]")].some(
      (field) => (field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue),
    );
  }

  let isLoading = false;
  let isWanted = false;
  async function refresh() {
    isWanted = true;
    if (isLoading) return;
    isLoading = true;
    try {
      while (isWanted) {
        isWanted = false;
        const address = new URL(location.href);
        address.searchParams.delete("said");
        const answer = await fetch(address, { headers: { "Accept": "text/html" }, redirect: "follow" });
        if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.assign(answer.url); return; }
        if (!answer.ok) return;
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
    } catch { /* the stream says that it has gone */ } finally { isLoading = false; }
  }

  function replace(fresh) {
    const focused = document.activeElement && document.activeElement.closest("[data-incident]");
    const name = focused ? focused.dataset.incident : "";
    for (const region of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(region.id);
      if (other === null || other.innerHTML === region.innerHTML || isInUse(region)) continue;
      const opened = [...region.querySelectorAll("details")].map((each) => each.open);
      region.replaceChildren(...other.childNodes);
      [...region.querySelectorAll("details")].forEach((each, index) => { if (opened[index]) each.open = true; });
    }
    if (name) for (const card of cards()) if (card.dataset.incident === name) card.focus();
    count();
  }

  function listen() {
    const stream = new EventSource("/live");
    const hear = (event) => {
      heardAt = Date.now();
      const data = JSON.parse(event.data);
      clockAheadMs = data.now - Date.now();
      isMuted = data.muted;
      const live = $("live");
      if (live) live.textContent = "";
      if (opened !== null && data.opened > opened) ring();
      opened = data.opened;
      return data;
    };
    let version = null;
    stream.addEventListener("tick", (event) => {
      const data = hear(event);
      if (version !== null && data.version !== version) refresh();  // it came while we were away
      version = data.version;
    });
    stream.addEventListener("change", (event) => { version = hear(event).version; refresh(); });
    stream.addEventListener("ended", () => { stream.close(); location.reload(); });
  }

  // ---- the bell -----------------------------------------------------------------------------------------------------
  function wake() {
    if (audio === null) audio = new AudioContext();
    if (audio.state === "suspended") audio.resume().then(tellSound, () => {});
    tellSound();
  }

  function tellSound() {
    const told = $("sound-state");
    if (!told || isMuted) return;
    const isReady = audio !== null && audio.state === "running";
    told.textContent = isReady ? config.words.sound_on : config.words.sound_click;
  }

  function ring() {
    document.title = `● ${config.words.new_open} – ${document.title.replace(/^● [^–]*– /, "")}`;
    document.documentElement.dataset.rung = String(Number(document.documentElement.dataset.rung || 0) + 1);
    if (isMuted || audio === null || audio.state !== "running") return;
    for (let beat = 0; beat < 3; beat += 1) {
      const at = audio.currentTime + beat * 0.45;
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.setValueAtTime(880, at);
      tone.frequency.setValueAtTime(660, at + 0.18);
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.4, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.38);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.4);
    }
  }

  // ---- keyboard -----------------------------------------------------------------------------------------------------
  const cards = () => [...document.querySelectorAll("[data-incident]")];

  function move(by) {
    const all = cards();
    if (all.length === 0) return;
    const at = all.indexOf(document.activeElement.closest("[data-incident]"));
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select")) return;
    const card = document.activeElement.closest("[data-incident]");
    const acts = {
      j: () => move(1),
      k: () => move(-1),
      a: () => { const button = (card || document).querySelector("button.ack"); if (button && (card || cards().length === 0)) button.click(); },
      m: () => { const button = $("sound"); if (button) button.click(); },
      "?": () => { const help = $("help"); if (!help.open) help.showModal(); },
      Enter: () => { if (card && document.activeElement === card) location.assign(card.querySelector("h2 a").href); },
    };
    if (!(event.key in acts)) return;
    if (event.key !== "Enter" || document.activeElement === card) event.preventDefault();
    acts[event.key]();
  }

  document.addEventListener("keydown", press);
  document.addEventListener("pointerdown", wake, { capture: true });
  document.addEventListener("keydown", wake, { capture: true });
  const print = $("print");
  if (print) print.addEventListener("click", () => window.print());
  if (config.live) listen();
  tellSound();
  count();
  setInterval(count, 1000);
})();
