package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The command line of both clients is PORT IMAGES WORKERS, where IMAGES is a file of
// `repository<TAB>tag`, one a line. Reads every image by so many workers, and prints images a second.
func measure(read func(port string, image []string) error) {
	file, err := os.Open(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	workers, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	var images [][]string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		images = append(images, strings.Split(lines.Text(), "\t"))
	}
	start := time.Now()
	queue := make(chan []string, workers)
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for image := range queue {
				if err := read(os.Args[1], image); err != nil {
					log.Fatal(image, ": ", err)
				}
			}
		}()
	}
	for _, image := range images {
		queue <- image
	}
	close(queue)
	group.Wait()
	fmt.Printf("%.1f\n", float64(len(images))/time.Since(start).Seconds())
}
