// The same for `import`: one copy of everything, however it is loaded.
export * from "./index.js";
