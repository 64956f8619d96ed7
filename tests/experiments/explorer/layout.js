// What is wrong with where things are on the page: text that leaves its box, or is cut, or lies over other text. What can
// be scrolled on purpose may be wider than what is seen; a line's box is higher than its letters.
() => {
  const slack = 1.5;
  const said = (text) => text.trim().slice(0, 40);
  const unseen = (element) => element.closest(".unseen, [hidden], :is(.presenting, .embedded) .top") || !element.checkVisibility({ visibilityProperty: true });
  const block = (element) => {
    while (/^(inline|contents)$/.test(getComputedStyle(element).display)) element = element.parentElement;
    return element;
  };
  const wrong = [];
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, option, .skip") || unseen(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const around = element.closest("svg") ?? block(element);
    const box = around.getBoundingClientRect();
    for (const line of range.getClientRects()) {
      if (line.width < 1) continue;
      const leaves = (box) =>
        line.left < box.left - slack || line.right > box.right + slack || line.top < box.top - 0.25 * line.height || line.bottom > box.bottom + 0.25 * line.height;
      const scrolled = element.closest("#contents ol");
      if (!scrolled && (line.left < -slack || line.right > innerWidth + slack)) wrong.push(`off the screen: ${said(node.data)}`);
      if (leaves(box)) wrong.push(`leaves its box: ${said(node.data)}`);
      for (let each = around; each && each !== document.body; each = each.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(each);
        if (overflowX === "visible" && overflowY === "visible") continue;
        if (each !== scrolled && leaves(each.getBoundingClientRect())) wrong.push(`cut: ${said(node.data)}`);
      }
      boxes.push({ line, node, scrolled, sticky: element.closest("#contents, #slides") });
    }
  }
  boxes.forEach((one, i) => {
    for (const other of boxes.slice(i + 1)) {
      if (one.node === other.node || one.sticky || other.sticky) continue;
      const across = Math.min(one.line.right, other.line.right) - Math.max(one.line.left, other.line.left);
      const down = Math.min(one.line.bottom, other.line.bottom) - Math.max(one.line.top, other.line.top);
      const least = Math.min(one.line.height, other.line.height);
      if (across > 1.5 && down > 0.3 * least) wrong.push(`overlap: ${said(one.node.data)} and ${said(other.node.data)}`);
    }
  });
  for (const each of document.querySelectorAll("body *")) {
    if (unseen(each) || each.closest("#contents ol, svg, .skip, script, style")) continue;
    const { left, right, width } = each.getBoundingClientRect();
    const name = each.id || each.className || each.localName;
    if (width && (left < -slack || right > innerWidth + slack)) wrong.push(`off the screen: ${name}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  return [...new Set(wrong)];
}
