// The library of skopeo and podman: manifest and config of each image, verified and parsed, nothing
// stored.
//
//	containers_image PORT IMAGES WORKERS
//
// IMAGES: a file of `repository<TAB>tag`, one a line. Prints images a second.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containers/image/v5/docker"
	"github.com/containers/image/v5/types"
)

func inspect(port string, image []string) error {
	reference, err := docker.ParseReference("//127.0.0.1:" + port + "/" + image[0] + ":" + image[1])
	if err != nil {
		return err
	}
	system := &types.SystemContext{DockerInsecureSkipTLSVerify: types.OptionalBoolTrue}
	opened, err := reference.NewImage(context.Background(), system)
	if err != nil {
		return err
	}
	defer opened.Close()
	_, err = opened.Inspect(context.Background())
	return err
}

func main() {
	file, err := os.Open(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	workers, _ := strconv.Atoi(os.Args[3])
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
				if err := inspect(os.Args[1], image); err != nil {
					log.Fatal(err)
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
