// The page's own conscience: it says when it is old, even while its server is gone; and it makes the alert's sound.
(() => {
  const OLD_AFTER_MS = 12000, ASK_EVERY_MS = 5000;
  let last = "", lastMs = performance.now(), asking = false, context = null, known = null;
  const find = (name) => document.querySelector("." + name);
  const isMuted = () => localStorage.getItem("ioc-wall-muted") === "1";

  function look() {
    document.documentElement.lang = document.body.dataset.lang || "vi";  // Quasar writes the server's language
    const clock = find("wall-clock");
    const text = clock ? clock.textContent : "";
    if (text && text !== last) { last = text; lastMs = performance.now(); }
    const silentMs = performance.now() - lastMs;
    document.body.classList.toggle("is-old", silentMs > OLD_AFTER_MS);
    const since = find("wall-old-since");
    if (since) since.textContent = last;
    if (silentMs > 2 * OLD_AFTER_MS) revive();
    listen();
    say();
  }

  async function revive() {  // a television has nobody who would press "reload"
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch("/healthz", { cache: "no-store" });
      if (answer.ok) location.reload();
    } catch { /* still away */ }
    setTimeout(() => { asking = false; }, ASK_EVERY_MS);
  }

  function listen() {
    const list = find("wall-alert-ids");
    if (!list) return;
    const text = list.textContent || "";
    if (text === "?") return;  // on-call was not heard yet
    const ids = new Set(text.split(" ").filter(Boolean));
    if (known !== null && [...ids].some((id) => !known.has(id))) sound();
    known = ids;
  }

  function player() {
    if (!context && window.AudioContext) context = new AudioContext();
    if (context && context.state === "suspended") context.resume().catch(() => {});
    return context;
  }

  function sound() {
    const audio = isMuted() ? null : player();
    if (!audio || audio.state !== "running") return;
    for (let n = 0; n < 3; n++) {
      const tone = audio.createOscillator(), volume = audio.createGain(), at = audio.currentTime + n * 0.35;
      tone.frequency.value = n % 2 ? 660 : 880;
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.4, at + 0.03);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.32);
    }
    document.body.dataset.sounded = String(Number(document.body.dataset.sounded || 0) + 1);
  }

  function say() {
    const button = find("wall-sound");
    if (!button) return;
    const audio = isMuted() ? null : player();
    const state = isMuted() ? "muted" : audio && audio.state === "running" ? "on" : "blocked";
    button.textContent = button.dataset[state];
    button.className = "wall-sound " + state;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest || !event.target.closest(".wall-sound")) return;
    const audio = player();
    if (audio && audio.state !== "running" && !isMuted()) { audio.resume().then(say); return; }
    localStorage.setItem("ioc-wall-muted", isMuted() ? "0" : "1");
    say();
  });
  setInterval(look, 1000);
})();
