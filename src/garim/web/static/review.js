// The review page. One module: texts, state, the virtual list, the closer look, the keys.

export const TEXTS = {
  title: ["Review of {0}", "{0} 검토"],
  filters: ["Filters", "필터"],
  state: ["State", "상태"],
  proposed: ["Undecided", "미결정"],
  accepted: ["Accepted", "승인"],
  rejected: ["Rejected", "거절"],
  edit: ["Edit", "편집"],
  crop: ["Crop", "자르기"],
  keep: ["Keep", "그대로"],
  drop: ["Drop", "제외"],
  relabel: ["Relabel", "라벨 변경"],
  move: ["Move", "옮기기"],
  failed: ["Cannot be opened", "열 수 없음"],
  class: ["Class", "클래스"],
  check: ["Check", "검사"],
  all: ["All", "전체"],
  none: ["(none)", "(없음)"],
  score: ["Score", "점수"],
  scoreFrom: ["Lowest score", "최저 점수"],
  scoreTo: ["Highest score", "최고 점수"],
  sort: ["Sort", "정렬"],
  sortPlan: ["As in the plan", "계획 순서"],
  sortLow: ["Lowest score first", "낮은 점수부터"],
  sortHigh: ["Highest score first", "높은 점수부터"],
  sortGain: ["Largest gain first", "점수 상승 큰 순"],
  group: ["Group", "묶기"],
  groupNone: ["Not grouped", "묶지 않음"],
  clear: ["Clear filters", "필터 지우기"],
  undo: ["Undo", "되돌리기"],
  apply: ["Apply…", "적용…"],
  report: ["Report", "보고서"],
  keys: ["Keyboard", "키보드"],
  tally: ["{0} of {1} decided", "{1}개 중 {0}개 결정"],
  progress: ["{0} accepted, {1} rejected, {2} undecided", "승인 {0}, 거절 {1}, 미결정 {2}"],
  shown: ["{0} shown", "{0}개 표시"],
  acceptShown: ["Accept all shown", "표시된 것 모두 승인"],
  rejectShown: ["Reject all shown", "표시된 것 모두 거절"],
  acceptGroup: ["Accept group", "묶음 승인"],
  rejectGroup: ["Reject group", "묶음 거절"],
  accept: ["Accept", "승인"],
  reject: ["Reject", "거절"],
  skip: ["Skip", "건너뛰기"],
  open: ["Look closer", "자세히 보기"],
  close: ["Close", "닫기"],
  empty: ["No edit fits these filters.", "이 필터에 맞는 편집이 없습니다."],
  nothing: ["This plan has no edits: there is nothing to decide.", "이 계획에는 편집이 없습니다. 결정할 것이 없습니다."],
  before: ["Before", "전"],
  after: ["After", "후"],
  leftOut: ["left out", "제외됨"],
  kept: ["kept", "남김"],
  dropped: ["dropped", "제외"],
  drawn: ["Your box", "직접 그린 상자"],
  chosen: ["Your label", "직접 고른 라벨"],
  swapped: ["Your choice of copy", "직접 고른 사본"],
  keepOther: ["Keep the other copy", "다른 사본 남기기"],
  didKeep: ["{0} stays", "{0} 남김"],
  drawHint: ["Draw a new box, or drag it and its handles. Arrow keys move it by a pixel, with Shift by ten; with Alt they change its size.",
    "새 상자를 그리거나 상자와 손잡이를 끄세요. 방향키는 1픽셀, Shift와 함께 10픽셀 옮기고, Alt와 함께 크기를 바꿉니다."],
  boxEditor: ["Box editor", "상자 편집기"],
  asProposed: ["Back to the proposal", "제안으로 되돌리기"],
  rightLabel: ["Right label", "올바른 라벨"],
  otherLabel: ["Another label", "다른 라벨"],
  set: ["Set", "정하기"],
  reason: ["Why", "이유"],
  file: ["File", "파일"],
  size: ["Size", "크기"],
  box: ["Box", "상자"],
  split: ["Split", "분할"],
  proposal: ["Proposed", "제안"],
  round: ["Round {0}", "{0}라운드"],
  seenAs: ["seen as {0}, {1}", "{0}(으)로 봄, {1}"],
  didAccept: ["{0} accepted", "{0}개 승인"],
  didReject: ["{0} rejected", "{0}개 거절"],
  didSet: ["Saved", "저장됨"],
  didUndo: ["Undone", "되돌림"],
  nothingToUndo: ["Nothing to undo", "되돌릴 것이 없습니다"],
  gone: ["The review has ended: every decision so far is saved. Run garim review again and open its new address.",
    "검토가 끝났습니다. 지금까지의 결정은 모두 저장되었습니다. garim review를 다시 실행하고 새 주소를 여세요."],
  readOnly: ["Read-only: nothing can be decided here.", "읽기 전용: 여기서는 결정할 수 없습니다."],
  applyTitle: ["Apply to a new dataset", "새 데이터셋에 적용"],
  applyText: ["The pictures of {0} stay as they are. The new dataset is written to {1}", "{0}의 사진은 그대로 둡니다. 새 데이터셋을 다음 폴더에 씁니다: {1}"],
  folder: ["Name of the new folder", "새 폴더 이름"],
  asBoxes: ["Keep pictures whole and write boxes", "사진은 그대로 두고 상자를 기록"],
  onlyAccepted: ["Accepted edits only; otherwise all that are not rejected", "승인한 편집만 적용 (아니면 거절하지 않은 모두)"],
  cancel: ["Cancel", "취소"],
  applying: ["Applying…", "적용 중…"],
  applied: ["{0} pictures in {1}", "사진 {0}장: {1}"],
  leftOutCount: ["{0} left out", "{0}개 제외됨"],
  keyMove: ["Go to another card", "다른 카드로"],
  keyClose: ["Close, or back", "닫기"],
  keyLabel: ["Set the label of that number (looking closer)", "그 번호의 라벨 고르기 (자세히 보기)"],
  card: ["{0} of {1}: {2}, {3}", "{1}개 중 {0}번째: {2}, {3}"],
};
const KOREAN = (navigator.languages?.[0] ?? navigator.language).toLowerCase().startsWith("ko");
const t = (key, ...values) => TEXTS[key][KOREAN ? 1 : 0].replace(/\{(\d)\}/g, (_, n) => values[n]);
const count = new Intl.NumberFormat(KOREAN ? "ko" : "en");
const STATES = { p: "proposed", a: "accepted", r: "rejected" };
const KINDS = ["crop", "relabel", "drop", "move", "keep", "failed"];
const $ = (id) => document.getElementById(id);
const NS = "http://www.w3.org/2000/svg";
const GAP = 12, HEAD = 44, CARD = 316, TALLEST = 12e6, BATCH = 60, REMEMBERED = 4000;

let review, columns, states, revision;
let view = [], heads = [], rows = [], place = new Map(), across = 1, width = 300, current = 0;
const details = new Map(), wanted = new Set(), cards = new Map(), versions = new Map();
const filter = { state: new Set(), edit: new Set(), label: "", check: "", low: "", high: "", sort: "plan", group: "" };

// ---- talking to the server
async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  let answer;
  try { answer = await fetch(path, options); } catch { lost(true); throw new Error(t("gone")); }
  if (answer.status === 403) { lost(true); throw new Error(t("gone")); }
  lost(false);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error ?? JSON.stringify(value.detail));
  return value;
}
let trouble = ""; // the dataset cannot be read
function lost(gone) {
  const text = gone ? t("gone") : trouble || (review?.read_only ? t("readOnly") : "");
  $("banner").textContent = text;
  $("banner").hidden = !text;
}
let sayTimer;
function say(text) {
  $("said").textContent = text;
  $("said").classList.add("on");
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => $("said").classList.remove("on"), 2200);
}
async function guarded(work) {
  try { return await work(); } catch (error) { say(error.message); return undefined; }
}
async function catchUp() {
  const since = revision, news = await ask(`api/changes?since=${since}`);
  if (since !== revision) return catchUp(); // another answer came first
  revision = news.revision;
  if (!news.changes.length) return;
  for (const [number, letter] of news.changes) {
    states[number] = letter;
    details.delete(number);
    versions.set(number, revision);
  }
  showCounts();
  for (const [number, card] of cards) { paintState(card, number); want(number); }
  if (look.number !== undefined && news.changes.some(([n]) => n === look.number)) await look.refresh();
}
async function poll() {
  if (!document.hidden) await catchUp().catch(() => {});
  setTimeout(poll, 1000);
}
let queue = Promise.resolve(); // what is decided is sent in the order in which it was
const queued = (work) => (queue = queue.then(() => guarded(work)));
const decide = (numbers, set) => queued(async () => {
  if (review.read_only || !numbers.length) return review.read_only && say(t("readOnly"));
  await ask("api/decide", { numbers, set });
  await catchUp();
  const done = { accepted: "didAccept", rejected: "didReject" }[set.state];
  say(set.keep ? t("didKeep", set.keep) : "box" in set || "to" in set || !done ? t("didSet") : t(done, count.format(numbers.length)));
});
function keepOther(n) {
  const one = details.get(n);
  if (one?.can_keep) decide([n], { keep: one.picture, state: "accepted" });
}
const undo = () => queued(async () => {
  const done = await ask("api/undo", {});
  await catchUp();
  say(t(done.undone ? "didUndo" : "nothingToUndo"));
});
function want(number) {
  if (details.has(number)) return paint(cards.get(number), number);
  if (!wanted.size) setTimeout(fetchWanted, 25);
  wanted.add(number);
}
const fetchWanted = () => guarded(async () => {
  const numbers = [...wanted].filter((n) => cards.has(n)).slice(0, BATCH);
  wanted.clear();
  if (!numbers.length) return;
  if (details.size > REMEMBERED) details.clear();
  for (const one of await ask(`api/edits?numbers=${numbers}`)) details.set(one.number, one);
  for (const [number, card] of cards) details.has(number) ? paint(card, number) : want(number);
});

// ---- small builders
function node(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) key in made ? (made[key] = value) : made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
function drawing(name, attributes, ...children) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
const opened = Date.now(); // what an earlier page showed at an address may have changed since
const picture = (number, what, side) => `pictures/${number}/${what}?side=${side}&v=${opened}.${versions.get(number) ?? 0}`;
function framed(href, size, box, caption) {
  const [w, h] = size ?? [100, 100];
  const svg = drawing("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": caption },
    drawing("image", { href, width: w, height: h }));
  svg.firstChild.onerror = async () => {
    const out = node("p", { className: "out", textContent: t("failed") });
    svg.replaceWith(out);
    const told = await fetch(href).then((answer) => (answer.ok ? null : answer.json())).catch(() => null);
    if (told?.error) out.textContent = told.error;
  };
  if (box) svg.append(drawing("rect", { class: "box", x: box[0], y: box[1], width: box[2], height: box[3] }));
  return svg;
}
const fixed = (score) => (score === undefined || score === null ? "" : score.toFixed(2));
const kindOf = (number) => columns.edit.table[columns.edit.values[number]];
const scoreOf = (number) => columns.after[number] ?? columns.before[number];

// ---- what is shown, in which order
function refilter() {
  const code = (name) => columns[name].table.indexOf(filter[name]);
  const label = filter.label === "" ? null : code("label"), check = filter.check === "" ? null : code("check");
  const low = filter.low === "" ? null : +filter.low, high = filter.high === "" ? null : +filter.high;
  const found = [];
  for (let n = 0; n < states.length; n++) {
    if (filter.state.size && !filter.state.has(states[n])) continue;
    if (filter.edit.size && !filter.edit.has(kindOf(n))) continue;
    if (label !== null && columns.label.values[n] !== label) continue;
    if (check !== null && columns.check.values[n] !== check) continue;
    const score = scoreOf(n);
    if (low !== null && !(score !== null && score >= low)) continue;
    if (high !== null && !(score !== null && score <= high)) continue;
    found.push(n);
  }
  const gain = (n) => (columns.after[n] ?? 0) - (columns.before[n] ?? 0);
  const order = { low: (a, b) => (scoreOf(a) ?? 2) - (scoreOf(b) ?? 2), high: (a, b) => (scoreOf(b) ?? -1) - (scoreOf(a) ?? -1), gain: (a, b) => gain(b) - gain(a) }[filter.sort];
  if (order) found.sort(order);
  const by = filter.group && columns[filter.group].values;
  if (by) found.sort((a, b) => by[a] - by[b]);
  view = found;
  heads = [];
  if (by) view.forEach((n, at) => { if (!at || by[n] !== by[view[at - 1]]) heads.push(at); });
  const kept = view.indexOf(number());
  current = Math.max(kept, 0);
  lastNumber = view[current];
  layout();
  showCounts();
  $("scroll").scrollTop = 0;
  draw();
  if (kept > 0) reveal();
}
let lastNumber;
const number = () => lastNumber;
function layout() {
  const room = $("scroll").clientWidth, narrow = room < 620, side = narrow ? 13 : 18;
  across = Math.max(1, Math.floor((room - 2 * side + GAP) / (narrow ? 300 : 270)));
  width = (room - 2 * side - (across - 1) * GAP) / across;
  rows = [];
  place = new Map();
  let top = 4;
  const starts = heads.length ? heads : [0];
  starts.forEach((start, g) => {
    const end = starts[g + 1] ?? view.length;
    if (heads.length) { rows.push({ top, height: HEAD, head: start, end }); top += HEAD; }
    for (let at = start; at < end; at += across) {
      rows.push({ top, height: CARD, start: at, end: Math.min(at + across, end), side });
      top += CARD + GAP;
    }
  });
  layout.height = top + 8;
  $("list").style.height = `${Math.min(layout.height, TALLEST)}px`;
}
// A browser's tallest element is lower than 100,000 cards on a phone; beyond it the bar moves faster.
function offset() {
  const seen = $("scroll").clientHeight, bar = $("scroll").scrollTop;
  if (layout.height <= TALLEST) return bar;
  return (bar * (layout.height - seen)) / (TALLEST - seen);
}
const rowAt = (y) => {
  let low = 0, high = rows.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; rows[middle].top <= y ? (low = middle) : (high = middle - 1); }
  return low;
};
let drawn = new Set();
function draw() {
  const from = offset(), shift = $("scroll").scrollTop - from, seen = $("scroll").clientHeight;
  const alive = new Set(), groups = [];
  for (let r = Math.max(rowAt(from) - 1, 0); r < rows.length && rows[r].top < from + seen + CARD; r++) {
    const row = rows[r];
    if (row.head !== undefined) { groups.push(heading(row, shift)); continue; }
    for (let at = row.start; at < row.end; at++) {
      const n = view[at], card = cards.get(n) ?? newCard(n);
      alive.add(n);
      card.style.cssText = `top:${row.top + shift}px;left:${row.side + (at - row.start) * (width + GAP)}px;width:${width}px;height:${CARD}px`;
      card.setAttribute("aria-posinset", at + 1);
      card.setAttribute("aria-setsize", view.length);
      card.classList.toggle("current", at === current);
      card.tabIndex = at === current ? 0 : -1;
    }
  }
  for (const [n, card] of cards) if (!alive.has(n)) { card.remove(); cards.delete(n); }
  drawn.forEach((one) => one.remove());
  drawn = new Set(groups);
  $("list").append(...groups);
  if (!view.length) { const empty = node("p", { className: "empty", textContent: t(states.length ? "empty" : "nothing") }); drawn.add(empty); $("list").append(empty); }
}
function heading(row, shift) {
  const column = columns[filter.group], numbers = () => view.slice(row.head, row.end);
  const name = column.table[column.values[view[row.head]]] || t("none");
  const made = node("div", { className: "group", role: "listitem" },
    node("h2", {}, `${name} `, node("small", { textContent: count.format(row.end - row.head) })),
    node("button", { textContent: t("acceptGroup"), onclick: () => decide(numbers(), { state: "accepted" }) }),
    node("button", { textContent: t("rejectGroup"), onclick: () => decide(numbers(), { state: "rejected" }) }));
  made.style.top = `${row.top + shift}px`;
  return made;
}
function newCard(n) {
  const card = node("div", { className: "card", role: "listitem" });
  card.onfocus = () => { const at = view.indexOf(n); if (at >= 0 && at !== current) go(at, false); };
  cards.set(n, card);
  $("list").append(card);
  paintState(card, n);
  want(n);
  return card;
}
function paintState(card, n) {
  card.classList.toggle("a", states[n] === "a");
  card.classList.toggle("r", states[n] === "r");
  const parts = [count.format(view.indexOf(n) + 1), count.format(view.length), t(kindOf(n)), t(STATES[states[n]])];
  card.setAttribute("aria-label", t("card", ...parts));
  for (const [name, letter] of [["accept", "a"], ["reject", "r"]]) card.querySelector(`.${name}`)?.setAttribute("aria-pressed", states[n] === letter);
}
function what(one) {
  if (one.edit === "relabel" || one.edit === "move") return `${(one.edit === "move" ? one.split : one.label) ?? ""} → ${one.to}`;
  return `${t(one.error ? "failed" : one.edit)} · ${one.label ?? t("none")}`;
}
function badge(one) {
  if (one.proposed) return node("span", { className: "badge warning", textContent: t(one.edit === "crop" ? "drawn" : one.proposed.picture ? "swapped" : "chosen") });
  const scores = [one.score_before, one.score_after].filter((s) => s !== undefined).map(fixed);
  const text = one.edit === "crop" ? scores.join(" → ") : scores.at(-1) ?? "";
  return text ? node("span", { className: "badge", textContent: text }) : null;
}
function frames(n, one, side) {
  const figure = (art, caption, tone = "") => node("figure", {}, art, caption ? node("figcaption", { className: tone, textContent: caption }) : null);
  const copy = (name, of) => `${t(name)} ${of.size?.join("×") ?? ""}`;
  if (one.error) return [figure(node("p", { className: "out", textContent: t("failed") }))];
  const before = framed(picture(n, "before", side), one.size, one.edit === "crop" ? one.box : null, t("before"));
  if (one.edit === "crop") return [figure(before), figure(framed(picture(n, "after", side), one.box.slice(2), null, t("after")))];
  if (one.can_keep) return [figure(before, copy("dropped", one), "bad"), figure(framed(picture(n, "kept", side), one.kept.size, null, one.kept.picture), copy("kept", one.kept), "good")];
  return [figure(before, one.edit === "drop" ? t("leftOut") : "")];
}
function paint(card, n) {
  const one = details.get(n);
  if (!card || card.shown === one) return;
  card.shown = one;
  const inside = frames(n, one, "card");
  const button = (name, set) => node("button", { className: name, tabIndex: -1, textContent: t(name), disabled: review.read_only, onclick: () => { go(view.indexOf(n), false); decide([n], set); } });
  const icon = (name, sign, work) => node("button", { className: `icon ${name}`, tabIndex: -1, textContent: sign, title: t(name), ariaLabel: t(name), onclick: () => { go(view.indexOf(n), false); work(); } });
  const frame = node("div", { className: inside.length > 1 ? "frame" : "frame single", onclick: () => { go(view.indexOf(n), false); look.open(n); } }, inside[0]);
  if (inside[1]) frame.append(node("span", { className: "arrow", ariaHidden: "true", textContent: one.can_keep ? "=" : "→" }), inside[1]);
  const focused = card.contains(document.activeElement);
  card.replaceChildren(frame,
    node("div", { className: "line" }, node("span", { className: "what", textContent: what(one), title: one.picture }), badge(one)),
    node("p", { className: "why", textContent: one.error ?? one.reason ?? "", title: one.reason ?? "" }),
    node("div", { className: "choose" }, button("accept", { state: "accepted" }), button("reject", { state: "rejected" }),
      one.can_keep && !review.read_only ? icon("keepOther", "⇄", () => keepOther(n)) : null, icon("open", "⤢", () => look.open(n))));
  if (focused) card.focus({ preventScroll: true });
  paintState(card, n);
}
function reveal() {
  const row = rows.find((one) => one.head === undefined && one.start <= current && current < one.end);
  if (!row) return;
  const from = offset(), seen = $("scroll").clientHeight, above = row.top - (heads.length ? HEAD : 4);
  const to = above < from ? above : row.top + CARD + 8 > from + seen ? row.top + CARD + 8 - seen : null;
  if (to !== null) $("scroll").scrollTop = layout.height <= TALLEST ? to : (to * (TALLEST - seen)) / (layout.height - seen);
}
function go(at, focus = true) {
  if (!view.length) return;
  current = Math.min(Math.max(at, 0), view.length - 1);
  lastNumber = view[current];
  if (focus) reveal();
  draw();
  if (focus) cards.get(lastNumber)?.focus({ preventScroll: true });
}

// ---- counts and filters
function showCounts() {
  const sum = { p: 0, a: 0, r: 0 };
  for (const letter of states) sum[letter]++;
  const share = (n) => `${(100 * n) / Math.max(states.length, 1)}%`;
  $("bar-accepted").style.flexBasis = share(sum.a);
  $("bar-rejected").style.flexBasis = share(sum.r);
  $("progress").setAttribute("aria-label", t("progress", sum.a, sum.r, sum.p));
  $("tally").textContent = t("tally", count.format(sum.a + sum.r), count.format(states.length));
  $("shown").textContent = t("shown", count.format(view.length));
  for (const chip of $("f-state").children) chip.lastChild.textContent = count.format(sum[chip.value]);
}
function chips(holder, name, entries) {
  for (const [value, text, number] of entries) {
    holder.append(node("button", { type: "button", value, ariaPressed: "false", onclick: (event) => {
      const set = filter[name], on = !set.has(value);
      on ? set.add(value) : set.delete(value);
      event.currentTarget.ariaPressed = String(on);
      refilter();
    } }, `${text} `, node("small", { textContent: number === undefined ? "" : count.format(number) })));
  }
}
function options(select, name, entries) {
  for (const [value, text] of entries) select.append(node("option", { value, textContent: text }));
  select.oninput = () => { filter[name] = select.value; refilter(); };
}
function tallied(name) {
  const sums = new Map();
  for (const code of columns[name].values) sums.set(code, (sums.get(code) ?? 0) + 1);
  return columns[name].table.map((text, code) => [text, sums.get(code) ?? 0]);
}
function fillFilters() {
  chips($("f-state"), "state", Object.entries(STATES).map(([letter, name]) => [letter, t(name), 0]));
  const kinds = new Map(tallied("edit"));
  chips($("f-edit"), "edit", KINDS.filter((k) => kinds.has(k)).map((k) => [k, t(k), kinds.get(k)]));
  for (const name of ["label", "check"]) {
    const listed = tallied(name).filter(([text]) => text).map(([text, n]) => [text, `${text} (${count.format(n)})`]);
    options($(`f-${name}`), name, [["", t("all")], ...listed]);
    $(`f-${name}`).parentElement.hidden = !listed.length;
  }
  const scored = [...columns.before, ...columns.after].some((score) => score !== null);
  $("f-low").parentElement.hidden = !scored;
  options($("f-sort"), "sort", [["plan", t("sortPlan")], ...(scored ? [["low", t("sortLow")], ["high", t("sortHigh")], ["gain", t("sortGain")]] : [])]);
  options($("f-group"), "group", [["", t("groupNone")], ["label", t("class")], ["check", t("check")]]);
  for (const name of ["low", "high"]) $(`f-${name}`).oninput = (event) => { filter[name] = event.target.value; refilter(); };
  $("filter-form").onsubmit = (event) => event.preventDefault();
  $("filter-form").onreset = () => {
    Object.assign(filter, { state: new Set(), edit: new Set(), label: "", check: "", low: "", high: "", sort: "plan", group: "" });
    for (const chip of document.querySelectorAll(".chips button")) chip.ariaPressed = "false";
    setTimeout(refilter);
  };
}

// ---- the closer look
const look = {
  number: undefined,
  async open(n) {
    this.number = n;
    await this.refresh();
    if (!$("look").open) $("look").showModal();
    ($("look").querySelector(".editor") ?? $("look").querySelector(".accept")).focus();
  },
  async refresh() {
    const n = this.number;
    if (!details.has(n)) for (const one of await ask(`api/edits?numbers=${n}`)) details.set(n, one);
    if (n !== this.number) return;
    const focused = document.activeElement?.classList.contains("editor");
    $("look").replaceChildren(await lookAt(n, details.get(n)));
    if (focused) $("look").querySelector(".editor")?.focus();
  },
  step(by) { go(current + by); this.open(lastNumber); },
};
async function lookAt(n, one) {
  const stage = node("div", { className: "stage" }), side = node("div", { className: "side" });
  const after = node("div", { className: "after" });
  const mark = (art, ...caption) => node("figure", {}, art, node("figcaption", {}, ...caption));
  if (one.error) stage.append(node("p", { className: "out", textContent: one.error }));
  else if (one.can_draw && !review.read_only) stage.append(node("figure", {}, editor(n, one, after)));
  else if (one.can_keep) stage.append(
    mark(framed(picture(n, "before", "large"), one.size, null, t("dropped")), ...copyNamed("dropped", "bad", one)),
    mark(framed(picture(n, "kept", "large"), one.kept.size, null, t("kept")), ...copyNamed("kept", "good", one.kept)));
  else stage.append(mark(framed(picture(n, "before", "large"), one.size, one.box, t("before")), one.picture));
  const close = node("button", { className: "close", textContent: "×", ariaLabel: t("close"), onclick: () => $("look").close() });
  side.append(close, node("h2", { id: "look-title", textContent: what(one) }));
  const tag = badge(one);
  if (tag) side.append(node("p", {}, tag));
  if (one.can_draw) side.append(after);
  side.append(evidence(one));
  if (one.can_draw && !review.read_only) side.append(node("small", { textContent: t("drawHint") }));
  if (one.can_keep && !review.read_only) side.append(node("button", { className: "other", onclick: () => keepOther(n) }, `⇄ ${t("keepOther")} `, node("kbd", { textContent: "o" })));
  if (one.can_label && !review.read_only) side.append(await labelChooser(n, one));
  if (one.proposed && !review.read_only) side.append(node("button", { textContent: t("asProposed"), onclick: () => decide([n], { box: null, to: null, keep: null, state: "proposed" }) }));
  const button = (name, state) => node("button", { className: name, textContent: t(name), disabled: review.read_only, ariaPressed: String(STATES[states[n]] === state), onclick: () => act(state) });
  side.append(node("div", { className: "choose" }, button("accept", "accepted"), button("reject", "rejected"),
    node("button", { textContent: t("skip"), onclick: () => look.step(1) })));
  return node("div", { className: `look ${states[n]}` }, stage, side);
}
function evidence(one) {
  const list = node("dl");
  const add = (name, value) => value !== undefined && value !== "" && list.append(node("dt", { textContent: name }), node("dd", { textContent: value }));
  add(t("reason"), one.reason);
  add(t("check"), one.check);
  add(t("class"), one.label);
  add(t("split"), one.split);
  add(t("score"), [one.score_before, one.score_after].filter((s) => s !== undefined).map((s) => s.toFixed(3)).join(" → "));
  for (const step of one.history ?? []) add(t("round", step.round), t("seenAs", step.predicted, step.score.toFixed(3)));
  add(t("box"), one.box?.join(", "));
  add(t("size"), one.size?.join(" × "));
  if (one.proposed) add(t("proposal"), [t(one.proposed.edit), one.proposed.picture, one.proposed.to, one.proposed.box?.join(", ")].filter(Boolean).join(" · "));
  add(t("file"), one.picture);
  return list;
}
const copyNamed = (name, tone, one) => [node("span", { className: `badge ${tone}`, textContent: t(name) }), ` ${[one.picture, one.size?.join(" × ")].filter(Boolean).join(" · ")}`];
let classes; // a promise; without the dataset, the labels of the plan
async function askClasses() {
  try { return await ask("api/classes"); } catch (error) { trouble = error.message; lost(false); return columns.label.table.filter(Boolean); }
}
async function labelChooser(n, one) {
  const known = await classes;
  const set = (to) => decide([n], { to, state: "accepted" });
  const now = one.edit === "relabel" ? one.to : one.label;
  const few = known.length <= 12 ? known : [];
  const buttons = few.map((name, at) => node("button", { className: "label", title: name, ariaPressed: String(name === now), onclick: () => set(name) }, at < 9 ? node("kbd", { textContent: `${at + 1} ` }) : "", name));
  const input = node("input", { ariaLabel: t("otherLabel"), placeholder: t("otherLabel"), maxLength: 200 });
  input.setAttribute("list", "classes");
  const form = node("form", { className: "labels", onsubmit: (event) => { event.preventDefault(); if (input.value.trim()) set(input.value.trim()); } },
    input, node("button", { textContent: t("set") }), node("datalist", { id: "classes" }, ...known.map((value) => node("option", { value }))));
  return node("section", {}, node("h3", { textContent: t("rightLabel") }), node("div", { className: "labels" }, ...buttons), form);
}

// ---- the box editor: pointer (mouse, pen, touch) and keyboard
const CORNERS = [["l", "t"], ["", "t"], ["r", "t"], ["l", ""], ["r", ""], ["l", "b"], ["", "b"], ["r", "b"]];
function editor(n, one, after) {
  const [w, h] = one.size;
  let box = one.box ?? null, drag = null, timer;
  const svg = drawing("svg", { viewBox: `0 0 ${w} ${h}`, class: "editor", tabindex: 0, role: "application", "aria-label": t("boxEditor") });
  const image = drawing("image", { href: picture(n, "before", "large"), width: w, height: h });
  const shade = drawing("path", { class: "shade" }), rect = drawing("rect", { class: "box" });
  const grips = CORNERS.map(([x, y]) => {
    const made = drawing("g", {}, drawing("rect", { class: "handle" }), drawing("rect", { class: "grip" }));
    made.onpointerdown = (event) => start(event, { x, y });
    return made;
  });
  svg.append(image, shade, rect, ...grips);
  const zoomed = drawing("svg", {}, drawing("image", { href: picture(n, "before", "large"), width: w, height: h }));
  after.append(zoomed);
  const clamp = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
  const point = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [clamp(at.x, w), clamp(at.y, h)];
  };
  function show() {
    const scale = svg.getScreenCTM() ? 1 / svg.getScreenCTM().a : 1;
    grips.forEach((grip) => grip.setAttribute("display", box ? "inline" : "none"));
    rect.setAttribute("display", box ? "inline" : "none");
    shade.setAttribute("d", box ? `M0 0H${w}V${h}H0ZM${box[0]} ${box[1]}h${box[2]}v${box[3]}h${-box[2]}Z` : "");
    if (!box) return;
    const [x, y, bw, bh] = box;
    for (const [name, value] of Object.entries({ x, y, width: bw, height: bh })) rect.setAttribute(name, value);
    zoomed.setAttribute("viewBox", `${x} ${y} ${bw} ${bh}`);
    grips.forEach((grip, at) => {
      const cx = { l: x, "": x + bw / 2, r: x + bw }[CORNERS[at][0]], cy = { t: y, "": y + bh / 2, b: y + bh }[CORNERS[at][1]];
      [...grip.children].forEach((part, which) => {
        const side = (which ? 28 : 9) * scale;
        for (const [name, value] of Object.entries({ x: cx - side / 2, y: cy - side / 2, width: side, height: side })) part.setAttribute(name, value);
      });
    });
  }
  const ordered = (x0, y0, x1, y1) => [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)];
  function start(event, how) {
    event.preventDefault();
    event.stopPropagation();
    svg.focus();
    svg.setPointerCapture(event.pointerId);
    drag = { ...how, from: point(event), box: box && [...box], moved: false };
  }
  rect.onpointerdown = (event) => start(event, { move: true });
  svg.onpointerdown = (event) => start(event, { fresh: true });
  svg.onpointermove = (event) => {
    if (!drag) return;
    const [px, py] = point(event), [fx, fy] = drag.from;
    if (Math.abs(px - fx) + Math.abs(py - fy) > 1) drag.moved = true;
    if (!drag.moved) return;
    if (drag.fresh) box = ordered(fx, fy, px, py);
    else if (drag.move) box = [clamp(drag.box[0] + px - fx, w - drag.box[2]), clamp(drag.box[1] + py - fy, h - drag.box[3]), drag.box[2], drag.box[3]];
    else {
      const [x, y, bw, bh] = drag.box;
      box = ordered(drag.x === "l" ? px : x, drag.y === "t" ? py : y, drag.x === "r" ? px : x + bw, drag.y === "b" ? py : y + bh);
    }
    show();
  };
  const stop = () => {
    if (!drag) return;
    const { moved, box: before } = drag;
    drag = null;
    if (!moved || !box || box[2] < 2 || box[3] < 2) { box = before; return show(); }
    save();
  };
  svg.onpointerup = stop;
  svg.onpointercancel = () => { if (drag) { box = drag.box; drag = null; show(); } };
  const save = () => decide([n], { box, state: "accepted" });
  svg.onkeydown = (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [dx, dy] = way.map((v) => v * (event.shiftKey ? 10 : 1));
    const [x, y, bw, bh] = box ?? [Math.round(w / 4), Math.round(h / 4), Math.round(w / 2), Math.round(h / 2)];
    box = event.altKey ? [x, y, Math.min(Math.max(bw + dx, 2), w - x), Math.min(Math.max(bh + dy, 2), h - y)] : [clamp(x + dx, w - bw), clamp(y + dy, h - bh), bw, bh];
    show();
    clearTimeout(timer);
    timer = setTimeout(save, 350);
  };
  new ResizeObserver(show).observe(svg);
  return svg;
}

// ---- dialogs
function openAsk(title, ...content) {
  const form = node("form", { method: "dialog" }, node("h2", { id: "ask-title", textContent: title }), ...content);
  $("ask").replaceChildren(form);
  if (!$("ask").open) $("ask").showModal();
  return form;
}
const KEYS = [["← ↑ → ↓ j k", "keyMove"], ["a", "accept"], ["r", "reject"], ["s  Space", "skip"], ["o", "keepOther"], ["Enter e", "open"], ["u  Ctrl Z", "undo"],
  ["1 … 9", "keyLabel"], ["Shift A", "acceptShown"], ["Shift R", "rejectShown"], ["f", "filters"], ["Esc", "keyClose"], ["?", "keys"]];
function showKeys() {
  const list = node("dl", { className: "keys" });
  for (const [key, text] of KEYS) list.append(node("dt", {}, node("kbd", { textContent: key })), node("dd", { textContent: t(text) }));
  openAsk(t("keys"), list, node("div", { className: "choose" }, node("button", { textContent: t("close") })));
}
const openApply = () => guarded(async () => {
  const target = await ask("api/target");
  const name = node("input", { value: target.name, required: true, maxLength: 200 });
  const boxes = node("input", { type: "checkbox" }), only = node("input", { type: "checkbox" });
  const go = node("button", { className: "strong", textContent: t("apply").replace("…", "") });
  const told = node("p", { role: "status" });
  const form = openAsk(t("applyTitle"), node("p", { textContent: t("applyText", review.dataset, target.folder) }),
    node("label", {}, t("folder"), name), node("label", { className: "check" }, boxes, t("asBoxes")), node("label", { className: "check" }, only, t("onlyAccepted")), told,
    node("div", { className: "choose" }, node("button", { type: "button", textContent: t("cancel"), onclick: () => $("ask").close() }), go));
  form.onsubmit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    told.textContent = t("applying");
    try {
      const done = await ask("api/apply", { name: name.value, as_boxes: boxes.checked, only_accepted: only.checked });
      const failed = done.failed.length ? ` · ${t("leftOutCount", count.format(done.failed.length))}: ${done.failed[0].picture}: ${done.failed[0].error}` : "";
      told.textContent = t("applied", count.format(done.pictures), done.to) + failed;
      go.remove();
      form.querySelector(".choose button").textContent = t("close");
    } catch (error) { told.textContent = error.message; go.disabled = false; }
  };
});

// ---- keys
function act(state) {
  const n = $("look").open ? look.number : lastNumber;
  if (n === undefined) return;
  decide([n], { state });
  $("look").open ? look.step(1) : go(current + 1);
}
const bulk = (state) => decide([...view], { state });
function onKey(event) {
  const typing = event.target.closest?.("input, select, textarea"), looking = $("look").open;
  if ($("ask").open || typing || event.altKey) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() !== "z") return;
  const steps = { ArrowLeft: -1, ArrowRight: 1, k: -1, j: 1, ArrowUp: looking ? -1 : -across, ArrowDown: looking ? 1 : across, Home: -view.length, End: view.length };
  const button = event.target.closest?.("button, a, summary");
  const actions = {
    a: () => act("accepted"), r: () => act("rejected"), x: () => act("rejected"), s: () => (looking ? look.step(1) : go(current + 1)),
    " ": () => (looking ? look.step(1) : go(current + 1)), u: undo, z: undo, o: () => keepOther(looking ? look.number : lastNumber), e: () => look.open(lastNumber), Enter: () => look.open(lastNumber),
    A: () => looking || bulk("accepted"), R: () => looking || bulk("rejected"), "?": showKeys,
    f: () => { $("filters").open = true; $("f-state").firstChild.focus(); },
  };
  if (button && (event.key === " " || event.key === "Enter")) return;
  if (looking && /^[1-9]$/.test(event.key)) return void $("look").querySelectorAll(".label")[+event.key - 1]?.click();
  if (event.key in steps) { event.preventDefault(); looking ? look.step(Math.sign(steps[event.key])) : go(current + steps[event.key]); }
  else if (event.key in actions && lastNumber !== undefined) { event.preventDefault(); actions[event.key](); }
}

// ---- start
function translate() {
  document.documentElement.lang = KOREAN ? "ko" : "en";
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = t(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", one.title = t(one.dataset.label));
}
async function start() {
  translate();
  if (location.search) history.replaceState(null, "", location.pathname); // the token leaves the address
  [review, columns] = await Promise.all([ask("api/review"), ask("api/columns")]);
  states = [...review.states];
  revision = review.revision;
  document.title = $("title").textContent = t("title", review.dataset);
  $("title").title = `${review.folder}/${review.plan}`;
  $("report").hidden = !review.report;
  for (const id of ["undo", "apply", "accept-all", "reject-all"]) $(id).disabled = review.read_only;
  lost(false);
  classes = askClasses();
  fillFilters();
  if (matchMedia("(max-width: 46rem)").matches) $("filters").open = false;
  refilter();
  let waiting = false;
  $("scroll").onscroll = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } };
  new ResizeObserver(() => { layout(); draw(); }).observe($("scroll"));
  $("undo").onclick = undo;
  $("apply").onclick = openApply;
  $("help").onclick = showKeys;
  $("accept-all").onclick = () => bulk("accepted");
  $("reject-all").onclick = () => bulk("rejected");
  $("look").onclose = () => { look.number = undefined; go(current); };
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => document.hidden || catchUp().catch(() => {}));
  document.body.dataset.ready = "true";
  go(0);
  poll();
}
guarded(start);
