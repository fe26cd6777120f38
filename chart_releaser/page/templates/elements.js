// Elements, and text to copy. All parts of the script are put together in one function; page.py says in which order.

// Texts from the index reach the page by textContent and attributes only, never as HTML.
const $ = (id) => document.getElementById(id);
const { alias, title } = document.body.dataset;
const address = document.body.dataset.url || addressOfThisPage();
const shownAddress = address || "https://ADDRESS-OF-THIS-REPOSITORY";
const FIRST = 25;
const MORE = 1000;

function addressOfThisPage() {
  const { protocol, origin, pathname } = window.location;
  return /^https?:$/.test(protocol) ? origin + pathname.replace(/\/[^/]*$/, "") : "";
}

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== "") element.setAttribute(name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

const outward = (url, ...children) => make("a", { href: url, rel: "noopener noreferrer" }, ...children);
const route = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https there is no clipboard object; this older way works there too.
    const area = make("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    const focused = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (focused) focused.focus();
    return done;
  }
}

let saying = 0;

function say(text) {
  // Emptied first, so that the same text is read out a second time.
  $("said").textContent = "";
  clearTimeout(saying);
  saying = setTimeout(() => { $("said").textContent = text; }, 50);
}

function copyButton(what, text, source) {
  let back = 0;
  const button = make("button", { type: "button", class: "copy", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    const done = await copy(text());
    if (!done) window.getSelection().selectAllChildren(source());
    button.textContent = done ? "Copied" : "Selected";
    button.classList.toggle("done", done);
    say(done ? `Copied ${what}` : `Copying was refused; ${what} is selected`);
    clearTimeout(back);
    back = setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); }, 2000);
  });
  return button;
}
