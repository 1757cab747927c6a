// Menus are <details class="menu">: one open at a time, closed by Escape, by a click elsewhere and by losing focus.
// <select data-submits> sends its form when it changes. The tab of this page is scrolled into sight.

const open_menus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of open_menus()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("focusin", (event) => {
  for (const menu of open_menus()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of open_menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submits]")) event.target.form.requestSubmit();
});

// Tabs that do not fit are scrolled sideways: the one the page is about must be in sight.
const tab = document.querySelector(".tabs > [aria-current=page]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
