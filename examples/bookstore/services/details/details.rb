# What is printed in a book: title, year, pages. Counts how often each was looked up, and keeps the counts.

require "json"
require "socket"

PORT = Integer(ENV.fetch("PORT", "9080"))
BOOKS = JSON.parse(File.read(File.join(__dir__, "books.json")))
SHELF = BOOKS.map { |id, book| { id: id, title: book["title"] } }
COUNTS = File.join(ENV.fetch("STATE_DIR", "/tmp"), "asked.json")
LOCK = Mutex.new

def counts
  JSON.parse(File.read(COUNTS))
rescue Errno::ENOENT, JSON::ParserError
  {}
end

def count(id)
  LOCK.synchronize do
    all = counts
    all[id] = all.fetch(id, 0) + 1
    File.write("#{COUNTS}.new", JSON.generate(all))
    File.rename("#{COUNTS}.new", COUNTS)
    all[id]
  end
end

def answer(path)
  return ["200 OK", "text/plain", "ok\n"] if path == "/healthz"

  id = path[%r{\A/books/(\d+)\z}, 1]
  book = BOOKS[id] or return ["404 Not Found", "application/json", %({"error": "no such book"}\n)]
  from = { service: "details", runtime: "Ruby #{RUBY_VERSION}", host: Socket.gethostname }
  found = { from: from, asked: count(id), shelf: SHELF }.merge(book)
  ["200 OK", "application/json", "#{JSON.generate(found)}\n"]
end

def serve(client)
  return unless IO.select([client], nil, nil, 5)

  request = client.gets("\n", 8192).to_s
  nil until client.gets("\n", 8192).to_s.strip.empty?
  status, kind, body = answer(request.split[1].to_s.split("?").first.to_s)
  client.write("HTTP/1.1 #{status}\r\nContent-Type: #{kind}; charset=utf-8\r\n" \
               "Content-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
rescue SystemCallError, IOError => error
  warn "details: #{error.message}"
ensure
  client.close
end

trap("TERM") { exit!(0) }
trap("INT") { exit!(0) }
# HUP starts afresh in the same process: new code, new books, same process id.
trap("HUP") { exec(RbConfig.ruby, File.expand_path(__FILE__)) }

$stdout.sync = true
server = TCPServer.new(PORT)
puts "details: Ruby #{RUBY_VERSION}, listening on #{PORT}, #{BOOKS.size} books"
loop { Thread.new(server.accept) { |client| serve(client) } }
