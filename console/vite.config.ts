import { defineConfig } from "vitest/config";

// The server that `npm run dev` sends requests of the API to.
const server = "http://127.0.0.1:8000";

export default defineConfig({
  base: "/console/",
  esbuild: { jsx: "automatic" },
  build: {
    outDir: "../src/mainspring/gateway/static",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    // Everything comes from the server as a file: the content security policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        // A page's file says which page it is.
        chunkFileNames: (chunk) => {
          const page = /pages\/([^/]+)\/page/.exec(chunk.facadeModuleId ?? "")?.[1];
          return `assets/${page ? `page-${page}` : "[name]"}-[hash].js`;
        },
      },
    },
  },
  server: { proxy: { "/v1": server, "/metrics": server, "/readyz": server } },
  test: { include: ["tests/**/*.test.{ts,tsx}"], testTimeout: 30_000 },
});
