// How many stars each reader gave a book.

import { createServer } from "node:http";
import { hostname } from "node:os";

const books = {
  1: { Mara: 5, Jonas: 4, Priya: 4 },
  2: { Priya: 5, Mara: 3 },
  3: { Jonas: 4, Mara: 4, Priya: 5 },
};
const port = Number(process.env.PORT ?? 9080);
const from = { service: "ratings", runtime: `Node ${process.versions.node}`, host: hostname() };

function average(stars) {
  const values = Object.values(stars);
  return Number((values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(1));
}

function answer(path) {
  if (path === "/healthz") return [200, "text/plain", "ok\n"];
  const stars = books[path.match(/^\/books\/(\d+)$/)?.[1]];
  if (!stars) return [404, "application/json", '{"error": "no such book"}\n'];
  return [200, "application/json", JSON.stringify({ from, average: average(stars), stars }) + "\n"];
}

const server = createServer((request, response) => {
  const [status, kind, body] = answer(request.url.split("?")[0]);
  response.writeHead(status, { "Content-Type": `${kind}; charset=utf-8` }).end(body);
});
server.listen(port, () => console.log(`ratings: Node ${process.versions.node}, listening on ${port}`));

// Kept-alive connections would hold the server open: leave at once.
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
