import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/** What readers wrote about a book, with the stars that ratings knows, if it answers. */
public final class Reviews {
    record Review(String by, String text) {
        String json() {
            return "{\"by\": %s, \"text\": %s}".formatted(quoted(by), quoted(text));
        }
    }

    static final Map<String, List<Review>> BOOKS = Map.of(
        "1", List.of(
            new Review("Mara", "I read it on a night train and missed my stop. Begin with the fog."),
            new Review("Jonas", "Slow, salty and exact. I now own three barometers.")),
        "2", List.of(
            new Review("Priya", "Half atlas, half family quarrel, and \"half\" is meant as praise."),
            new Review("Mara", "The maps are wrong on purpose. It took me two hundred pages to see why.")),
        "3", List.of(
            new Review("Jonas", "Every town in it sounds invented. I have been to four of them.")));

    static final String RATINGS = env("RATINGS_URL", "http://ratings:9080");
    static final String ACCESS_LOG = env("ACCESS_LOG", "");
    static final Duration PATIENCE = Duration.ofSeconds(1);
    static final HttpClient CLIENT = HttpClient.newBuilder().connectTimeout(PATIENCE).build();

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(env("PORT", "9080"));
        var server = HttpServer.create(new InetSocketAddress(port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/healthz", exchange -> answer(exchange, 200, "text/plain", "ok\n"));
        server.createContext("/books/", Reviews::book);
        server.start();
        System.out.println("reviews: Java " + System.getProperty("java.version") + ", listening on " + port);
    }

    static void book(HttpExchange exchange) throws IOException {
        var id = exchange.getRequestURI().getPath().substring("/books/".length());
        var reviews = BOOKS.get(id);
        if (reviews == null) {
            answer(exchange, 404, "application/json", "{\"error\": \"no such book\"}\n");
        } else {
            answer(exchange, 200, "application/json", """
                {"from": {"service": "reviews", "runtime": %s, "host": %s}, "reviews": [%s], "ratings": %s}
                """.formatted(
                    quoted("Java " + System.getProperty("java.version")),
                    quoted(InetAddress.getLocalHost().getHostName()),
                    reviews.stream().map(Review::json).collect(Collectors.joining(", ")),
                    ratings(id)));
        }
        log(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + exchange.getResponseCode());
    }

    /** Return what ratings answers, as it is: JSON. Without an answer the reviews go out without stars. */
    static String ratings(String id) {
        try {
            var request = HttpRequest.newBuilder(URI.create(RATINGS + "/books/" + id)).timeout(PATIENCE).build();
            var response = CLIENT.send(request, BodyHandlers.ofString());
            return response.statusCode() == 200 ? response.body().strip() : "null";
        } catch (IOException error) {
            return "null";
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return "null";
        }
    }

    /** Append a line to the access log, which the container beside this one prints. */
    static synchronized void log(String line) {
        if (ACCESS_LOG.isEmpty()) {
            return;
        }
        try {
            Files.writeString(Path.of(ACCESS_LOG), line + "\n", CREATE, APPEND);
        } catch (IOException error) {
            System.err.println("reviews: no access log: " + error);
        }
    }

    static void answer(HttpExchange exchange, int status, String kind, String text)
            throws IOException {
        var body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", kind + "; charset=utf-8");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    static String env(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }
}
