import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "build", "node_modules", "surface.d.ts"] },
  eslint.configs.recommended,
  {
    files: ["src/**/*.ts", "src/**/*.mts", "test/**/*.mts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: ["./tsconfig.json", "./tsconfig.test.json"], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Methods are named, without being called, where an error's stack begins.
      "@typescript-eslint/unbound-method": "off",
    },
  },
  {
    // `test` of Node's runner returns a promise that nobody waits for.
    files: ["test/**/*.mts"],
    rules: { "@typescript-eslint/no-floating-promises": "off" },
  },
  {
    files: ["**/*.mjs", "**/*.js", "**/*.cjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", Buffer: "readonly", require: "readonly", URL: "readonly" } },
  },
);
