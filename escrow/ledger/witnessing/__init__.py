"""What others say of our log: witnesses' cosignatures and authorities' times, asked and kept."""
