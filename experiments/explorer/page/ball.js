// A ball on a map, moved by mouse, finger or arrow keys. A finger that does not touch the ball scrolls the page.

const KEYS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// `dragged(left, top)` is called once a frame with where in the box the ball is to be, `pushed(right, up, large)` for each
// arrow key, and `dropped()` when it has been let go; `seenAt()` says where it is.
export function createBall(box, ball, { seenAt, dragged, pushed, dropped }) {
  let pointer = null; // the one that drags
  let held = [0, 0]; // from the pointer to the middle of the ball
  let waiting = null;

  const within = (event) => {
    const { left, top } = box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };

  function drag(event) {
    const [left, top] = within(event);
    if (waiting === null) requestAnimationFrame(move);
    waiting = [left + held[0], top + held[1]];
  }

  function move() {
    if (waiting) dragged(...waiting);
    waiting = null;
  }

  box.addEventListener("pointerdown", (event) => {
    const onBall = ball.contains(event.target);
    if (event.button !== 0 || pointer !== null || (event.pointerType === "touch" && !onBall)) return;
    pointer = event.pointerId;
    box.setPointerCapture(pointer);
    const [left, top] = within(event);
    const { left: x, top: y } = seenAt();
    held = onBall ? [x - left, y - top] : [0, 0];
    event.preventDefault();
    ball.focus({ preventScroll: true });
    if (!onBall) drag(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) drag(event);
  });
  box.addEventListener("lostpointercapture", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    move();
    dropped();
  });
  // A finger that touches the map without scrolling.
  box.addEventListener("click", (event) => {
    if (event.pointerType !== "touch" || ball.contains(event.target)) return;
    dragged(...within(event));
    dropped();
  });

  ball.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    pushed(...KEYS[event.key], event.shiftKey);
  });
  ball.addEventListener("keyup", (event) => {
    if (event.key in KEYS) dropped();
  });
}
