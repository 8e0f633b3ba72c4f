"use strict";
// A number of the matrix opens the list of its examples; those that are drawn on the page are drawn there too.
const lists = JSON.parse(document.getElementById("lists").textContent);
const listed = document.getElementById("listed");
function add(parent, kind, text) {
  const element = parent.appendChild(document.createElement(kind));
  element.textContent = text;
  return element;
}
function open(button) {
  document.querySelectorAll("[data-cell][aria-pressed=true]").forEach((each) => each.setAttribute("aria-pressed", "false"));
  button.setAttribute("aria-pressed", "true");
  const places = lists.places[button.dataset.cell];
  const count = Number(button.textContent);
  listed.replaceChildren();
  listed.hidden = false;
  const title = add(listed, "h3", button.getAttribute("aria-label"));
  title.tabIndex = -1;
  const list = add(listed, "ul", "");
  const cards = listed.appendChild(document.createElement("div"));
  cards.className = "cards";
  for (const place of places) {
    const [name, said] = lists.examples[place];
    const card = document.getElementById("clip-" + place);
    if (card) {
      const copy = cards.appendChild(card.cloneNode(true));
      copy.removeAttribute("id");
    } else {
      add(list, "li", name + " (" + said + ")");
    }
  }
  if (count > places.length) add(listed, "p", "and " + (count - places.length) + " more").className = "note";
  title.focus({ preventScroll: true });
  listed.scrollIntoView({ block: "nearest" });
}
document.querySelectorAll("[data-cell]").forEach((button) => button.addEventListener("click", () => open(button)));
// One sound at a time
document.addEventListener("play", (event) => {
  document.querySelectorAll("audio").forEach((each) => { if (each !== event.target) each.pause(); });
}, true);
