// Command authors tells who wrote a book.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

type author struct {
	Name string `json:"name"`
	Life string `json:"life"`
}

type origin struct {
	Service string `json:"service"`
	Runtime string `json:"runtime"`
	Host    string `json:"host"`
}

var (
	marlow  = author{"Ines Marlow", "kept a lighthouse for eleven years and a diary for forty."}
	okafor  = author{"Tomas Okafor", "surveyed deltas until they moved once too often."}
	brandt  = author{"Lena Brandt", "engraves maps and disagrees with most of them."}
	tanabe  = author{"Yuki Tanabe", "has never learnt to drive and recommends it."}
	authors = map[string][]author{"1": {marlow}, "2": {okafor, brandt}, "3": {tanabe}}
)

func book(response http.ResponseWriter, request *http.Request) {
	response.Header().Set("Content-Type", "application/json; charset=utf-8")
	found, ok := authors[strings.TrimPrefix(request.URL.Path, "/books/")]
	if !ok {
		response.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(response, `{"error": "no such book"}`)
		return
	}
	host, _ := os.Hostname()
	from := origin{"authors", "Go " + strings.TrimPrefix(runtime.Version(), "go"), host}
	if err := json.NewEncoder(response).Encode(map[string]any{"from": from, "authors": found}); err != nil {
		log.Printf("authors: %v", err)
	}
}

func main() {
	log.SetFlags(0)
	port := os.Getenv("PORT")
	if port == "" {
		port = "9080"
	}
	http.HandleFunc("/books/", book)
	http.HandleFunc("/healthz", func(response http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(response, "ok")
	})
	server := &http.Server{Addr: ":" + port, ReadHeaderTimeout: 5 * time.Second}

	asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		<-asked.Done()
		deadline, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(deadline)
	}()

	log.Printf("authors: %s, listening on %s", runtime.Version(), port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatalf("authors: %v", err)
	}
	<-closed
}
