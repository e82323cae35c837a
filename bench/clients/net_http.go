// A plain Go client: manifest and config of each image with net/http, digests verified, JSON parsed,
// nothing stored.
//
//	net_http PORT IMAGES WORKERS
//
// IMAGES: a file of `repository<TAB>tag`, one a line. Prints images a second.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type manifest struct {
	Config      struct{ Digest string }
	Layers      []struct{ MediaType string }
	Annotations map[string]string
}

type config struct {
	Created, Architecture, OS string
	Config                    struct{ Labels map[string]string }
}

func get(client *http.Client, url string) []byte {
	request, _ := http.NewRequest("GET", url, nil)
	request.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
	answer, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		log.Fatal(url, " ", answer.Status, " ", err)
	}
	return body
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
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}
	start := time.Now()
	queue := make(chan []string, workers)
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for image := range queue {
				base := "http://127.0.0.1:" + os.Args[1] + "/v2/" + image[0]
				var m manifest
				if err := json.Unmarshal(get(client, base+"/manifests/"+image[1]), &m); err != nil {
					log.Fatal(err)
				}
				body := get(client, base+"/blobs/"+m.Config.Digest)
				sum := sha256.Sum256(body)
				if "sha256:"+hex.EncodeToString(sum[:]) != m.Config.Digest {
					log.Fatal(image, ": wrong digest")
				}
				var c config
				if err := json.Unmarshal(body, &c); err != nil {
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
