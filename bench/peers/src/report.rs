//! The figures as text and as a picture.

mod picture;
mod table;

pub use self::{picture::picture, table::table};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Cost, LeftOut, Machine, PeerVersion, Results, VERSION};

    fn results() -> Results {
        let cost = |peer: &str, cpu_us| Cost {
            work: "get-64".to_owned(),
            connections: 16,
            in_flight: 32,
            peer: peer.to_owned(),
            cpu_us,
            ratio: cpu_us / 2.0,
            per_second: 1e5,
            load_cpu_us: 0.5,
            rounds: vec![cpu_us],
        };
        Results {
            version: VERSION,
            machine: Machine {
                processor: "A <fast> one".to_owned(),
                kernel: "6.1".to_owned(),
                server_core: 0,
                load_core: 1,
            },
            rounds: 1,
            seconds: 1.0,
            peers: vec![PeerVersion {
                peer: "engine".to_owned(),
                title: "tiny-cache".to_owned(),
                version: "0.2.0".to_owned(),
                stores: true,
            }],
            left_out: vec![LeftOut {
                peer: "redis".to_owned(),
                work: Some("get-1k@1x1".to_owned()),
                reason: "a miss".to_owned(),
            }],
            costs: vec![cost("engine", 2.0), cost("tonic", 8.0)],
            latencies: Vec::new(),
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_server_and_names_what_is_left_out() {
        let text = table(&results());
        let row = text.lines().find(|line| line.contains("tonic")).unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells, ["get-64", "16x32", "tonic", "8.00", "4.00", "100000", "0.50"]);
        assert!(text.contains("redis      left out at get-1k@1x1: a miss"), "{text}");
    }

    #[test]
    fn the_picture_has_a_bar_for_each_server_and_is_well_formed() {
        let svg = picture(&results()).unwrap();
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("A &lt;fast&gt; one"));
        // The longest bar takes all the room, and the other one its share.
        assert!(svg.contains("width=\"490.0\"") && svg.contains("width=\"122.5\""), "{svg}");
    }

    #[test]
    fn there_is_no_picture_of_nothing() {
        assert!(picture(&Results { costs: Vec::new(), ..results() }).is_none());
    }

    #[test]
    fn the_results_are_read_as_they_were_written() {
        let json = serde_json::to_string(&results()).unwrap();
        let read: Results = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}
