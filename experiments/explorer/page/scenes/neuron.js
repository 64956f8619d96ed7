export function createScene() {
  return { choices: () => ({}), restore: () => [] };
}
